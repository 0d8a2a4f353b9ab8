"""One JupyterLab per session, one Chromium per test file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import chromium, find_chromium
from tests.browser.lab import LabServer
from tests.browser.notebook_page import NotebookPage

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("browser")


# Not for the session: Playwright keeps an event loop running, which tests elsewhere would stumble over.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if find_chromium() is None:
        reason = "no Chromium or Chrome on the PATH: apt-get install chromium"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    server = LabServer(tmp_path_factory.mktemp("jupyter") / "lab")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def open_notebook(browser: Browser, lab: LabServer) -> Callable[..., NotebookPage]:
    """`open_notebook(path or "source of a cell", …)`: a `NotebookPage`, to be used with `with`."""

    def open_(*notebook: Path | str, **context) -> NotebookPage:
        if isinstance(notebook[0], Path):
            return NotebookPage(browser, lab, notebook[0], **context)
        node = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in notebook])
        node.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        return NotebookPage(browser, lab, node, **context)

    return open_
