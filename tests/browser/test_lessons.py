"""Every lesson, as a reader meets it: JupyterLab, Run All, then each of its explorers by mouse and keyboard."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.checks import check_every_explorer

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("[0-9]*.ipynb"))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_lesson_runs_and_its_explorers_work(open_notebook, notebook):
    with open_notebook(notebook) as opened:
        opened.run_all()
        opened.check()
        check_every_explorer(opened)
        opened.check()
