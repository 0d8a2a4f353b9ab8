"""A conv arithmetic explorer on a page: change its settings, point at units, compare every number with the kernel's."""

from __future__ import annotations

import json
from collections.abc import Callable

from playwright.sync_api import Locator

from tests.browser.explorer_view import ExplorerView
from tests.browser.notebook_page import NotebookPage

# Every such explorer that lives in the kernel, with what its page must tell.
STATE = """
import json, gc
from course_utils.widgets import ConvArithmeticExplorer
print(json.dumps([
    {"settings": vars(e.settings), "side": e.side, "position": [e.row, e.col], "count": e.count, "problem": e.problem,
     "output_size": e.output_size, "present": len(e.present), "hits": e.settings.hits if not e.problem else None}
    for e in gc.get_objects() if issubclass(type(e), ConvArithmeticExplorer)
]))
"""
SLIDERS = {
    "size": "input n",
    "kernel": "kernel k",
    "stride": "stride s",
    "padding": "padding p",
    "dilation": "dilation d",
    "output_padding": "output padding",
}


class ConvArithmeticView(ExplorerView):
    """`image` is the map of the input, `zeros` the zero-inserted grid (hidden for a convolution), `map` the output."""

    def __init__(self, notebook: NotebookPage, index: int = 0):
        self.notebook = notebook
        self.root = notebook.page.locator(".explorer").nth(index)
        self.root.scroll_into_view_if_needed()
        self.image, self.zeros, self.map = self.root.locator(".explorer-stage").all()

    def slider(self, name: str) -> Locator:
        """The slider of a setting."""
        return self.root.get_by_role("slider", name=SLIDERS[name])

    def choose(self, transposed: bool | None = None, **settings: int) -> None:
        """Set the kind of layer, and sliders by the settings' names."""
        if transposed is not None:
            name = "transposed convolution" if transposed else "convolution"
            self.root.get_by_role("radio", name=name, exact=True).check()
        self.settle()
        for name, value in settings.items():
            self.slider(name).fill(str(value))
        self.settle()

    def point_at(self, stage: Locator, row: int, col: int, before: int, total: int) -> None:
        """Move the mouse to a unit of a map with `before` cells before unit 0, `total` in all."""
        self.point(stage, (col + before + 0.5) / total, (row + before + 0.5) / total)

    def way(self, moves: int) -> Callable[[int], tuple[float, float]]:
        """A drag over the output; what is cut off of it lies around."""
        transposed = self.zeros.is_visible()
        before = int(self.slider("padding").input_value()) if transposed else 0
        count = int(self.says("position").rsplit(" × ", 1)[1])
        inner = super().way(moves)
        return lambda step: tuple((before + count * part) / (count + 2 * before) for part in inner(step))

    def state(self) -> dict:
        """The kernel's explorer that says all that this page says; AssertionError if there is none."""
        self.notebook.wait_until_idle()
        states = json.loads(self.notebook.python(STATE))
        here = [state for state in states if self._is(state)]
        assert here, f"no explorer in the kernel says {self.root.inner_text()!r}: {states}"
        return here[0]

    def _is(self, state: dict) -> bool:
        settings = state["settings"]
        shown = {name: int(self.slider(name).input_value()) for name in SLIDERS if self.slider(name).is_visible()}
        if shown != {name: settings[name] for name in shown} or ("output_padding" in shown) != settings["transposed"]:
            return False
        if state["problem"]:
            return self.says("problem") == state["problem"].replace("−", "-")
        told = self.says("position").split(" of ")[1]
        side = self.root.locator("dt", has_text="Chosen unit of the").inner_text().removeprefix("Chosen unit of the ")
        return (
            (list(self.position()), told) == (state["position"], f"{state['count']} × {state['count']}")
            and side == state["side"]
            and self.connected() == state["present"]
            and f"= {state['output_size']} " in self.says("size")
        )

    def connected(self) -> int:
        """The number of units that the chosen one is connected with, as told."""
        text = self.says("unit")
        return int(text.split(" = ")[1].split()[0]) if " = " in text else 0


def check_conv_arithmetic(view: ConvArithmeticView) -> None:
    """Raise AssertionError unless the explorer is painted, follows mouse and keys, and tells the kernel's numbers."""
    page = view.notebook.page
    view.choose(transposed=False, size=5, kernel=3, stride=2, padding=1, dilation=1)
    view.point(view.map, 0.01, 0.01)
    assert view.position() == (0, 0), "the explorer does not follow the mouse"
    assert min(view.count_colors()) > 2, "a canvas is blank"
    before = view.pictures()
    view.point(view.map, 0.99, 0.99)
    assert view.position() == (2, 2), "the explorer does not follow the mouse"
    assert all(old != new for old, new in zip(before, view.pictures(), strict=True)), "a picture did not change"
    assert view.state()["present"] == 4, "a corner sees two rows and two columns"

    cells = view.notebook.cell_states()
    view.press("Control+Home", "ArrowDown", "b")
    assert view.position() == (1, 0), "the explorer does not follow the keyboard"
    assert view.notebook.cell_states() == cells, "the notebook took keys that were meant for the explorer"
    assert view.state()["side"] == "output"

    view.root.get_by_role("button", name="Show as its transpose").click()
    view.settle()
    state = view.state()
    assert (state["settings"]["transposed"], state["output_size"]) == (True, 5)
    assert view.zeros.is_visible()
    view.point(view.image, 0.5, 0.5)
    assert view.state()["side"] == "input"
    view.choose(transposed=False, kernel=8, padding=0)
    assert "does not fit" in view.says("problem")
    assert view.state()["output_size"] is None
    view.choose(kernel=3, padding=1)
    page.mouse.move(0, 0)
