"""Every lesson, as a reader meets it: JupyterLab, Run All, then each of its explorers by mouse and keyboard."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.explorer_view import ExplorerView, check_explorer
from tests.browser.painter_view import PainterView, check_painter

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("[0-9]*.ipynb"))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_lesson_runs_and_its_explorers_work(open_notebook, notebook):
    with open_notebook(notebook) as opened:
        opened.run_all()
        opened.check()
        for index, explorer in enumerate(opened.page.locator(".explorer").all()):
            if "painter" in explorer.get_attribute("class").split():
                check_painter(PainterView(opened, index))
            else:
                check_explorer(ExplorerView(opened, index))
        opened.check()
