"""An explorer on a page: point at it, press keys, read what it says and what it painted."""

from __future__ import annotations

import json
from collections.abc import Callable

from playwright.sync_api import Locator

from tests.browser.notebook_page import NotebookPage

# Every explorer with a box that lives in the kernel, with the numbers that its read-out must show.
STATE = """
import json, gc
from course_utils.widgets.base import Explorer
print(json.dumps([
    {"row": e.row, "col": e.col, "box": [str(side) for side in e.box], "score": getattr(e, "score", None)}
    for e in gc.get_objects() if issubclass(type(e), Explorer) and hasattr(type(e), "box")
]))
"""


class ExplorerView:
    """One explorer of an open notebook, by its place on the page."""

    def __init__(self, notebook: NotebookPage, index: int = 0):
        self.notebook = notebook
        self.root: Locator = notebook.page.locator(".explorer").nth(index)
        self.root.scroll_into_view_if_needed()
        self.image, self.map = self.root.locator(".explorer-stage").all()

    def point(self, stage: Locator, across: float, down: float) -> None:
        """Move the mouse to a place in a stage, given as fractions of its size."""
        box = stage.bounding_box()
        self.notebook.page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])
        self.settle()

    def press(self, *keys: str) -> None:
        """Press keys, with the keyboard's focus on the map."""
        self.map.focus()
        for key in keys:
            self.notebook.page.keyboard.press(key)
        self.settle()

    def settle(self) -> None:
        """Wait until the next frame is painted."""
        self.notebook.page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")

    def says(self, name: str) -> str:
        """One value of the read-out, in plain characters."""
        text = self.root.locator(f'[data-value="{name}"]').inner_text()
        return " ".join(text.replace("−", "-").split())

    def has(self, name: str) -> bool:
        """Whether the read-out of this kind of explorer has such a value."""
        return self.root.locator(f'[data-value="{name}"]').count() == 1

    def position(self) -> tuple[int, int]:
        """Row and column, as the read-out tells them."""
        row, col = self.says("position").split(" of ")[0].removeprefix("row ").split(", column ")
        return int(row), int(col)

    def way(self, moves: int) -> Callable[[int], tuple[float, float]]:
        """A drag over the map, `moves` long: step → place as (across, down), fractions; each in another cell."""
        rows, cols = (int(number) for number in self.says("position").split(" of ")[1].split(" × "))

        def place(step: int) -> tuple[float, float]:
            row, along = divmod(step % (rows * cols), cols)
            col = along if row % 2 == 0 else cols - 1 - along
            return (col + 0.5) / cols, (row + 0.5) / rows

        return place

    def pictures(self) -> list[str]:
        """What the canvases show, as text that can be compared."""
        stages = (self.image, self.map)
        return [stage.locator("canvas").evaluate("canvas => canvas.toDataURL()") for stage in stages]

    def count_colors(self) -> list[int]:
        """Number of different colours in each canvas: one if it is blank, more than two with a mark on it."""
        script = """canvas => {
            const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            return new Set(new Uint32Array(data.buffer)).size;
        }"""
        return [stage.locator("canvas").evaluate(script) for stage in (self.image, self.map)]


def check_explorer(view: ExplorerView) -> None:
    """Raise AssertionError unless the explorer is painted, follows mouse and keyboard, and tells the truth."""
    _check_mouse(view)
    _check_keyboard(view)


def _check_mouse(view: ExplorerView) -> None:
    view.point(view.map, 0.01, 0.01)
    assert min(view.count_colors()) > 2, "a canvas is blank"
    assert view.position() == (0, 0), "the explorer does not follow the mouse"
    before = view.pictures()
    view.point(view.map, 0.99, 0.99)
    rows, cols = (int(number) for number in view.says("position").split(" of ")[1].split(" × "))
    assert view.position() == (rows - 1, cols - 1), "the explorer does not follow the mouse"
    if rows * cols > 1:
        assert all(old != new for old, new in zip(before, view.pictures(), strict=True)), "a picture did not change"
    _check_numbers(view)


def _check_keyboard(view: ExplorerView) -> None:
    view.press("Control+Home")
    assert view.position() == (0, 0), "the explorer does not follow the keyboard"
    cells = view.notebook.cell_states()
    rows, cols = (int(number) for number in view.says("position").split(" of ")[1].split(" × "))
    view.press("ArrowDown", "ArrowRight")
    assert view.position() == (min(1, rows - 1), min(1, cols - 1)), "the explorer does not follow the keyboard"
    view.press("b")
    assert view.notebook.cell_states() == cells, "the notebook took keys that were meant for the explorer"
    _check_numbers(view)


def _check_numbers(view: ExplorerView) -> None:
    """The kernel must know an explorer in this very state: same position, same box, same score."""
    view.notebook.wait_until_idle()
    states = json.loads(view.notebook.python(STATE))
    row, col = view.position()
    told = view.says("window") if view.has("window") else view.says("box")
    here = [state for state in states if (state["row"], state["col"]) == (row, col)]
    assert here, f"no explorer in the kernel is at {(row, col)}: {states}"
    here = [state for state in here if _box_text(state["box"]) == told.replace("–", "…")]
    assert here, f"no explorer in the kernel has the box {told}: {states}"
    if view.has("score"):
        score = view.says("score")
        near = [abs(float(score) - state["score"]) <= _rounding(score) for state in here if state["score"]]
        assert any(near), f"no explorer in the kernel has the score {score}: {here}"


def _box_text(box: list[str]) -> str:
    top, left, bottom, right = map(float, box)
    if top == float("-inf"):
        return "the whole image whatever its size"
    return f"rows {top:g}…{bottom - 1:g}, columns {left:g}…{right - 1:g}"


def _rounding(text: str) -> float:
    """Half a unit of the last digit, and a little."""
    decimals = len(text.partition(".")[2])
    return 0.5001 * 10**-decimals + 1e-6
