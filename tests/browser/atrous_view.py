"""An atrous explorer on a page: point at positions, change rates, and compare every number with the kernel's."""

from __future__ import annotations

import json

import pytest

from tests.browser.explorer_view import ExplorerView
from tests.browser.notebook_page import NotebookPage

# Every atrous explorer that lives in the kernel, with what its page must tell.
STATE = """
import json, gc
from course_utils.widgets import AtrousExplorer
from course_utils.widgets.atrous import shares, taps_inside, ways_to_see
def told(e):
    size, rates = tuple(e.size), {"one": [e.rate], "aspp": e.rates, "stack": []}[e.mode]
    return {"position": [e.row, e.col], "size": e.size, "mode": e.mode, "rates": rates, "stack": e.stack,
            "shares": [list(shares(size, rate)) for rate in rates],
            "inside": [int(taps_inside(size, rate)[e.row, e.col]) for rate in rates],
            "seen": int(e.seen.sum())}
print(json.dumps([told(e) for e in gc.get_objects() if issubclass(type(e), AtrousExplorer)]))
"""


class AtrousView(ExplorerView):
    """`image` is the chart; `map` the feature map alone, without the zeros around it; `ground` both of them."""

    def __init__(self, notebook: NotebookPage, index: int = 0):
        self.notebook = notebook
        self.root = notebook.page.locator(".explorer").nth(index)
        self.root.scroll_into_view_if_needed()
        self.ground, self.image = self.root.locator(".explorer-stage").all()
        self.map = self.root.locator(".atrous-field")

    def size(self) -> tuple[int, int]:
        """Rows and columns of the feature map."""
        rows, cols = self.says("position").split(" of ")[1].split(" × ")
        return int(rows), int(cols)

    def show(self, name: str) -> None:
        """Switch to "one rate", "ASPP" or "stacked layers"."""
        self.root.get_by_role("radiogroup", name="Show").get_by_role("radio", name=name, exact=True).check()
        self.settle()

    def choose(self, group: str, name: str) -> None:
        """Take one of a group of radio buttons."""
        self.root.get_by_role("radiogroup", name=group, exact=True).get_by_role("radio", name=name, exact=True).check()
        self.settle()

    def set_rate(self, rate: int) -> None:
        """Move the slider."""
        self.root.get_by_role("slider", name="Rate").fill(str(rate))
        self.settle()

    def point_at(self, row: int, col: int) -> None:
        """Move the mouse to a position of the feature map."""
        rows, cols = self.size()
        self.point(self.map, (col + 0.5) / cols, (row + 0.5) / rows)

    def pictures(self) -> list[str]:
        """What the map and the chart show, as text that can be compared."""
        return [stage.locator("canvas").evaluate("canvas => canvas.toDataURL()") for stage in (self.ground, self.image)]

    def count_colors(self) -> list[int]:
        """Number of different colours in each canvas."""
        script = """canvas => {
            const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            return new Set(new Uint32Array(data.buffer)).size;
        }"""
        return [stage.locator("canvas").evaluate(script) for stage in (self.ground, self.image)]

    def shares(self) -> list[list[float]]:
        """For each rate that is shown its three shares, all digits."""
        cells = [float(cell.get_attribute("title")) for cell in self.root.locator("td[data-share]").all()]
        return [cells[i : i + 3] for i in range(0, len(cells), 3)]

    def check_numbers(self) -> dict:
        """Raise AssertionError unless the kernel has an explorer that says all this page says; return its state."""
        states = json.loads(self.notebook.python(STATE))
        stacked = not self.root.get_by_role("table").is_visible()
        here = [
            state
            for state in states
            if (tuple(state["position"]), tuple(state["size"])) == (self.position(), self.size())
            and (state["mode"] == "stack") == stacked
            and (stacked or _near(state["shares"], self.shares()))
        ]
        assert here, f"no explorer in the kernel is at {self.position()} with {self.shares()}: {states}"
        state = here[0]
        if stacked:
            assert int(self.says("seen").split(" of ")[0]) == state["seen"]
            assert self.says("reach").startswith(f"{1 + 2 * sum(state['stack'])} × ")
            return state
        cells = self.root.locator("tbody tr").all()
        rates = [int(row.locator("th").inner_text().split()[1]) for row in cells]
        inside = [int(row.locator("td").nth(1).inner_text().split()[0]) for row in cells]
        assert (rates, inside) == (state["rates"], state["inside"])
        assert self.says("taps").startswith(f"{sum(inside)} of {9 * len(rates)} inside")
        return state


def _near(expected: list[list[float]], told: list[list[float]]) -> bool:
    return len(expected) == len(told) and all(
        row == pytest.approx(other, rel=1e-12, abs=1e-15) for row, other in zip(expected, told, strict=True)
    )


def check_atrous(view: AtrousView) -> None:
    """Raise AssertionError unless the explorer is painted, follows mouse and keys, and tells the kernel's numbers."""
    view.show("one rate")
    rows, cols = view.size()
    view.point_at(0, 0)
    assert view.position() == (0, 0), "the explorer does not follow the mouse"
    assert min(view.count_colors()) > 2, "a canvas is blank"
    before = view.pictures()
    view.point_at(rows - 1, cols - 1)
    assert view.position() == (rows - 1, cols - 1), "the explorer does not follow the mouse"
    assert view.pictures()[0] != before[0], "the map did not change"
    rate = view.check_numbers()["rates"][0]
    view.set_rate(2 if rate == 1 else 1)
    assert view.pictures()[1] != before[1], "the chart did not change"
    assert view.check_numbers()["rates"] != [rate], "the slider changes nothing"
    for mode in ("stacked layers", "ASPP"):
        view.show(mode)
        view.check_numbers()

    view.show("one rate")
    cells = view.notebook.cell_states()
    view.press("Control+Home", "ArrowDown", "b")
    view.set_rate(rate)
    state = view.check_numbers()
    assert state["position"] == [min(1, rows - 1), 0], "the explorer does not follow the keyboard"
    view.press("+")
    view.press("-")
    assert view.check_numbers()["rates"] == [rate]
    assert view.notebook.cell_states() == cells, "the notebook took keys that were meant for the explorer"
