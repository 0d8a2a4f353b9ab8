# Two commands are enough: `make lab` and `make test`. Each sets everything up by itself, the first time.
# PYTHON=python3.12 chooses the interpreter, PORT=9000 the port, LAB_ARGS=--no-browser goes to JupyterLab.

.DEFAULT_GOAL := help
.PHONY: help lab test test-all test-floor test-colab notebooks bench badges doctor clean environment

ifdef PYTHON
export PYTHON
endif
BIN := .venv/bin
RUN := @sh tools/python.sh

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1: /p' Makefile

lab:  ## set up the course and open lesson 00 in JupyterLab
	$(RUN) lab $(if $(PORT),--port=$(PORT)) $(LAB_ARGS)

test:  ## set up the course, then run the linter and every test but the slow ones
	$(RUN) run_tests

test-all:  ## the same with the slow tests
	$(RUN) run_tests --slow

environment:
	$(RUN) setup_env lab test grade

test-floor: environment  ## run the tests with the oldest versions that pyproject.toml allows
	$(BIN)/uv venv --quiet --clear --seed --python $(BIN)/python .venv-floor
	$(BIN)/uv pip install --quiet --python .venv-floor --resolution lowest-direct --editable '.[test,grade]' 'uv>=0.9'
	.venv-floor/bin/python -m pytest -n 2 --dist loadscope -m 'not slow and not browser'

test-colab: environment  ## run the notebooks in a replica of Google Colab (needs Python 3.13)
	$(BIN)/python -m tools.colab_replica

notebooks: environment  ## rebuild and run the notebooks whose text changed
	$(BIN)/python -m tools.notebooks

bench: environment  ## run the benchmarks
	$(BIN)/python -m benchmarks

badges: environment  ## refresh links and the lesson table; REPO=owner/name names the repository
	$(BIN)/python -m tools.badges $(REPO)

doctor: environment  ## say what works here and how to mend what does not
	$(BIN)/course doctor

clean:  ## remove what the commands above have made (downloads in data/cache stay)
	rm -rf .venv .venv-floor .venv-colab build *.egg-info .pytest_cache .ruff_cache .hypothesis
