"""Every lesson, as a reader meets it: JupyterLab, Run All, then each of its explorers by mouse and keyboard.

Three long ones are left to `make test-all`: nbval runs them in any case, and their explorers have tests of their own.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.checks import check_every_explorer

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("[0-9]*.ipynb"))
LONG = ("01_fc_to_conv", "07_metrics_and_losses", "08_training_workflow")
LESSONS = [
    pytest.param(path, id=path.stem, marks=pytest.mark.slow if path.stem in LONG else ()) for path in NOTEBOOKS
]


@pytest.mark.parametrize("notebook", LESSONS)
def test_lesson_runs_and_its_explorers_work(open_notebook, notebook):
    with open_notebook(notebook) as opened:
        opened.run_all()
        opened.check()
        check_every_explorer(opened)
        opened.check()
