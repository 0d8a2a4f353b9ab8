"""The Makefile passes on what the student says, and lists what it can do."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from tools.setup_env import CHECKOUT


def make(*arguments: str) -> str:
    """What make prints; a make that runs this test must not hand its own options down."""
    kept = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "PYTHON")}
    run = subprocess.run(["make", *arguments], cwd=CHECKOUT, env=kept, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_help_names_every_target():
    text = (CHECKOUT / "Makefile").read_text()
    phony = set(re.search(r"^\.PHONY: (.*)$", text, re.M).group(1).split())
    assert set(re.findall(r"^([a-z-]+):", text, re.M)) == phony
    listed = set(re.findall(r"^  make ([a-z-]+): .+", make(), re.M))
    assert listed == phony - {"environment"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["lab"], r"tools/python\.sh lab\s*$"),
        (["lab", "PORT=9000", "LAB_ARGS=--no-browser"], r"tools/python\.sh lab --port=9000 --no-browser$"),
        (["test"], r"tools/python\.sh run_tests$"),
        (["test-all"], r"tools/python\.sh run_tests --slow$"),
        (["badges", "REPO=a/b"], r"-m tools\.badges a/b$"),
    ],
)
def test_commands(arguments, expected):
    assert re.search(expected, make("--dry-run", *arguments), re.M)


def test_a_named_python_reaches_the_script(tmp_path):
    python = tmp_path / "mine"
    python.write_text('#!/bin/sh\n[ "$1" = -c ] || echo "$PYTHON runs $*"\n')
    python.chmod(0o755)
    assert make("test", f"PYTHON={python}") == f"{python} runs -m tools.run_tests\n"
