"""An unpooling explorer on a page: change a value by mouse and keys, and compare every number with the kernel's."""

from __future__ import annotations

import json

import pytest

from tests.browser.explorer_view import ExplorerView
from tests.browser.notebook_page import NotebookPage

# Every unpooling explorer that lives in the kernel, with what its page must tell.
STATE = """
import json, gc
from course_utils.widgets import UnpoolingExplorer
print(json.dumps([
    {"position": [e.row, e.col], "method": e.method, "scores": e.scores(), "values": e.values.tolist(),
     "result": e.result.tolist(), "pooled": e.pooled.tolist(), "indices": e.indices.tolist()}
    for e in gc.get_objects() if issubclass(type(e), UnpoolingExplorer)
]))
"""
# All digits of an error stand in its title.
SCORES = """root => Object.fromEntries([...root.querySelectorAll('td[data-score="rmse"]')].map(cell => [
    cell.dataset.method,
    {rmse: Number(cell.title), in_place: Number(cell.nextElementSibling.textContent.split(' ')[0])},
]))"""


class UnpoolingView(ExplorerView):
    """`image` is the map whose values can be changed, `pooled` its maxima, `map` what comes back."""

    def __init__(self, notebook: NotebookPage, index: int = 0):
        self.notebook = notebook
        self.root = notebook.page.locator(".explorer").nth(index)
        self.root.scroll_into_view_if_needed()
        self.image, self.pooled, self.map = self.root.locator(".explorer-stage").all()

    def size(self) -> tuple[int, int]:
        """Rows and columns of the map."""
        rows, cols = self.says("position").split(" of ")[1].split(" × ")
        return int(rows), int(cols)

    def choose(self, name: str) -> None:
        """Take this way back from now on."""
        self.root.get_by_role("radio", name=name, exact=True).check()
        self.settle()

    def point_at(self, row: int, col: int) -> None:
        """Move the mouse to a cell of what comes back."""
        rows, cols = self.size()
        self.point(self.map, (col + 0.5) / cols, (row + 0.5) / rows)

    def drag_value(self, row: int, col: int, pixels: float) -> None:
        """Press the mouse on a cell of the map, and move it so many pixels up."""
        rows, cols = self.size()
        self.point(self.image, (col + 0.5) / cols, (row + 0.5) / rows)
        mouse, box = self.notebook.page.mouse, self.image.bounding_box()
        x, y = box["x"] + (col + 0.5) / cols * box["width"], box["y"] + (row + 0.5) / rows * box["height"]
        mouse.down()
        for step in (0.3, 0.7, 1):
            mouse.move(x, y - step * pixels)
        mouse.up()
        self.settle()

    def check_numbers(self) -> dict:
        """Raise AssertionError unless the kernel has an explorer that says all this page says; return its state."""
        told = self.root.evaluate(SCORES)
        states = json.loads(self.notebook.python(STATE))
        here = [s for s in states if tuple(s["position"]) == self.position() and _same(told, s["scores"])]
        assert here, f"no explorer in the kernel is at {self.position()} with the errors {told}: {states}"
        self.check_position(here[0])
        return here[0]

    def check_position(self, state: dict) -> None:
        """Raise AssertionError unless the read-outs say what the kernel's `state` holds at the cursor's position."""
        row, col = self.position()
        before, after = self.says("value").split(" difference ")[0].split(" → ")
        assert float(before) == pytest.approx(state["values"][row][col], abs=_rounding(before))
        assert float(after) == pytest.approx(state["result"][row][col], abs=_rounding(after))
        chosen = state["scores"][state["method"]]
        error = self.says("error").split()
        assert float(error[1]) == pytest.approx(chosen["rmse"], abs=_rounding(error[1]))
        assert int(error[2]) == chosen["in_place"]
        index = state["indices"][row // 2][col // 2]
        assert f"index {index};" in self.says("window")
        largest = self.says("window").split(" at ")[0]
        assert float(largest) == pytest.approx(state["pooled"][row // 2][col // 2], abs=_rounding(largest))


def _same(told: dict, scores: dict) -> bool:
    return told.keys() == scores.keys() and all(
        told[method]["rmse"] == pytest.approx(score["rmse"], rel=1e-9, abs=1e-12)
        and told[method]["in_place"] == score["in_place"]
        for method, score in scores.items()
    )


def _rounding(text: str) -> float:
    return 0.5001 * 10 ** -len(text.partition(".")[2])


def check_unpooling(view: UnpoolingView) -> None:
    """Raise AssertionError unless the explorer is painted, follows mouse and keys, and tells the kernel's numbers."""
    rows, cols = view.size()
    view.point_at(0, 0)
    assert view.position() == (0, 0), "the explorer does not follow the mouse"
    assert min(view.count_colors()) > 2, "a canvas is blank"
    before = view.pictures()
    view.point_at(rows - 1, cols - 1)
    assert view.position() == (rows - 1, cols - 1), "the explorer does not follow the mouse"
    assert all(old != new for old, new in zip(before, view.pictures(), strict=True)), "a picture did not change"
    values = view.check_numbers()["values"]
    view.drag_value(0, 1, 60)
    state = view.check_numbers()
    assert state["position"] == [0, 1], "a drag moves the cursor away from its value"
    assert state["values"][0][1] > values[0][1] or values[0][1] == max(map(max, values)), "a drag changes nothing"
    view.choose("bilinear")
    assert view.check_numbers()["method"] == "bilinear"

    cells = view.notebook.cell_states()
    view.press("Control+Home", "ArrowDown", "b", "-")
    state = view.check_numbers()
    assert state["position"] == [1, 0], "the explorer does not follow the keyboard"
    assert view.notebook.cell_states() == cells, "the notebook took keys that were meant for the explorer"
    view.root.get_by_role("button", name="Start again").click()
    view.choose("max unpooling")
    view.check_numbers()
