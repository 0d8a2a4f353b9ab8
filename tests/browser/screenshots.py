"""Run a notebook in real JupyterLab and save pictures of it, to look at a lesson with one's own eyes.

    python -m tests.browser.screenshots notebooks/01_fc_to_conv.ipynb /tmp/pictures --theme dark

writes `cell_001.png` … (one per cell, at twice the resolution) and `page_01.png` … (the whole notebook, piece by
piece).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.browser.chromium import chromium
from tests.browser.lab import LabServer
from tests.browser.notebook_page import NotebookPage

PAGE_HEIGHT = 1600


def save_screenshots(
    notebook: Path, folder: Path, dark: bool = False, width: int = 1200, scale: float = 2
) -> list[str]:
    """Run `notebook`, save its pictures to `folder`, and return what went wrong while it ran."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, chromium() as browser:
        server = LabServer(Path(scratch) / "lab")
        try:
            size = {"viewport": {"width": width, "height": 900}, "device_scale_factor": scale}
            with NotebookPage(browser, server, notebook, **size) as opened:
                opened.use_theme(dark)
                opened.run_all()
                _show_only_the_notebook(opened)
                for number, cell in enumerate(opened.page.locator(".jp-Notebook .jp-Cell").all(), 1):
                    cell.screenshot(path=folder / f"cell_{number:03d}.png", animations="disabled")
                _save_pages(opened, folder, width)
                return [*opened.cell_problems(), *opened.problems]
        finally:
            server.stop()


def _show_only_the_notebook(opened: NotebookPage) -> None:
    opened.page.evaluate("() => window.jupyterapp.commands.execute('application:set-mode', {mode: 'single-document'})")
    opened.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    opened.wait_until_idle()


def _save_pages(opened: NotebookPage, folder: Path, width: int) -> None:
    height = opened.page.evaluate("() => document.querySelector('.jp-WindowedPanel-outer').scrollHeight + 150")
    # Chromium paints no more than 16384 pixels in one piece.
    height = min(height, 16_000)
    opened.page.set_viewport_size({"width": width, "height": height})
    opened.wait_until_idle()
    for number, top in enumerate(range(0, height, PAGE_HEIGHT), 1):
        piece = {"x": 0, "y": top, "width": width, "height": min(PAGE_HEIGHT, height - top)}
        opened.page.screenshot(path=folder / f"page_{number:02d}.png", clip=piece, scale="css")


def main() -> None:
    parser = argparse.ArgumentParser(description="Run a notebook in JupyterLab and save pictures of its cells.")
    parser.add_argument("notebook", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--theme", choices=("light", "dark"), default="light")
    parser.add_argument("--width", type=int, default=1200, help="of the browser window, in CSS pixels")
    parser.add_argument("--scale", type=float, default=2, help="device pixels per CSS pixel")
    options = parser.parse_args()
    problems = save_screenshots(options.notebook, options.folder, options.theme == "dark", options.width, options.scale)
    print(f"pictures are in {options.folder}")
    print("\n".join(problems) or "nothing went wrong")
    raise SystemExit(bool(problems))


if __name__ == "__main__":
    main()
