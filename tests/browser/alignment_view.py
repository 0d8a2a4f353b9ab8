"""An alignment explorer on a page: move over the image, change layers, and compare every number with the kernel's."""

from __future__ import annotations

import json
from collections.abc import Callable

from playwright.sync_api import Locator

from tests.browser.explorer_view import ExplorerView
from tests.browser.notebook_page import NotebookPage

# Every such explorer that lives in the kernel, with what its page must tell.
STATE = """
import json, gc
from course_utils.alignment import align
from course_utils.widgets import AlignmentExplorer

def state(e):
    try:
        rows = e.rows
    except ValueError:
        rows = []
    return {
        "network": e.network, "size": e.size, "pixel": e.pixel, "layer": e.layer, "problem": e.problem,
        "smallest": e.smallest if rows or not e.problem else None,
        "rows": [{"name": r.layer.name, "source": r.layer.source, "size": r.grid.size, "stride": float(r.grid.stride),
                  "start": float(r.grid.start), "crop": r.crop, "miss": float(r.miss),
                  "units": [r.grid.units_over(e.pixel).start, r.grid.units_over(e.pixel).stop - 1]} for r in rows],
    }

print(json.dumps([state(e) for e in gc.get_objects() if issubclass(type(e), AlignmentExplorer)]))
"""
TABLE = """root => [...root.querySelectorAll('tbody tr')].map(row => [
    row.querySelector('th').textContent, ...[...row.querySelectorAll('[data-told]')].map(cell => cell.textContent)])"""


class AlignmentView(ExplorerView):
    """`map` and `image` are the one stage that it has."""

    def __init__(self, notebook: NotebookPage, index: int = 0):
        self.notebook = notebook
        self.root = notebook.page.locator(".explorer").nth(index)
        self.root.scroll_into_view_if_needed()
        self.map = self.image = self.root.locator(".explorer-stage")

    def pixel(self) -> int:
        """The chosen pixel, as the read-out tells it."""
        return int(self.says("position").split()[1])

    def show_all(self) -> None:
        """Show all maps from end to end."""
        self.root.get_by_role("radio", name="all", exact=True).check()
        self.settle()

    def way(self, moves: int) -> Callable[[int], tuple[float, float]]:
        """A drag along the image."""
        return lambda step: (0.25 + 0.5 * step / moves, 0.5)

    def number(self, name: str, layer: str) -> Locator:
        """The field of the table that holds one number of a layer."""
        return self.root.get_by_role("spinbutton", name=f"{name} of {layer}", exact=True)

    def set_number(self, name: str, layer: str, value: int) -> None:
        """Write a number of a layer into the table."""
        self.number(name, layer).fill(str(value))
        self.number(name, layer).press("Enter")
        self.settle()

    def slide(self, label: str, value: int) -> None:
        """Move one of the two sliders, "Image" or "First padding"."""
        self.root.get_by_role("slider", name=label).fill(str(value))
        self.settle()

    def choose(self, network: str) -> None:
        """Take another network."""
        self.root.get_by_role("combobox", name="Network").select_option(network)
        self.settle()

    def table(self) -> dict[str, list[str]]:
        """What the table tells of each layer: size, stride, place of unit 0, crop."""
        return {name: [text.replace("−", "-") for text in texts] for name, *texts in self.root.evaluate(TABLE)}

    def units(self) -> dict[str, str]:
        """The units over the pixel, by the name of the map."""
        return dict(entry.rsplit(" ", 1) for entry in self.says("units").split(", "))

    def state(self) -> dict:
        """The kernel's explorer that says all that this page says; AssertionError if there is none."""
        self.notebook.wait_until_idle()
        states = json.loads(self.notebook.python(STATE))
        network = self.root.get_by_role("combobox", name="Network").input_value()
        here = [
            state
            for state in states
            if (state["network"], state["pixel"], f"of {state['size']}")
            == (network, self.pixel(), self.says("position").split(" ", 2)[2])
            and self._is(state)
        ]
        assert here, f"no explorer in the kernel says {self.root.inner_text()!r}: {states}"
        return here[0]

    def _is(self, state: dict) -> bool:
        if state["problem"]:
            return self.says("problem") == state["problem"]
        table, units = self.table(), self.units()
        told = {row["name"]: [row["size"], row["stride"], row["start"], _crop(row)] for row in state["rows"]}
        found = {
            name: [int(size), _number(stride), _number(start), crop]
            for name, (size, stride, start, crop) in table.items()
        }
        shown = {row["name"]: _range(row["units"]) for row in state["rows"] if row["name"] in units}
        crops = [f"{row['source']} {_crop(row)}" for row in state["rows"] if row["source"] and row["crop"] is not None]
        return (
            told == found
            and shown == {name: text for name, text in units.items() if name != "image"}
            and all(crop in self.says("crops").split(", ") for crop in crops)
            and self.says("smallest").split()[0] == str(state["smallest"])
        )


def _number(text: str) -> float:
    numerator, _, denominator = text.partition("/")
    return float(numerator) / float(denominator or 1)


def _crop(row: dict) -> str:
    if not row["source"]:
        return ""
    return f"{row['miss']:g} pixel off" if row["crop"] is None else str(row["crop"])


def _range(units: list[int]) -> str:
    first, last = units
    return "–" if last < first else str(first) if first == last else f"{first}–{last}"


def check_alignment(view: AlignmentView) -> None:
    """Raise AssertionError unless the explorer is painted, follows mouse and keys, and tells the kernel's numbers."""
    first = view.root.get_by_role("combobox", name="Network").input_value()
    view.choose("fcn8s")
    view.show_all()
    assert view.count_colors()[0] > 2, "the canvas is blank"
    view.point(view.map, 0.4, 0.5)
    before, pixel = view.pictures(), view.pixel()
    view.point(view.map, 0.55, 0.9)
    assert view.pixel() > pixel, "the explorer does not follow the mouse"
    assert view.pictures() != before, "the picture did not change"
    assert view.says("crops") == "pool4 5, pool3 9, image 31"
    view.state()

    cells = view.notebook.cell_states()
    view.press("Home", "ArrowRight", "PageDown", "b")
    assert view.pixel() == 11, "the explorer does not follow the keyboard"
    assert view.notebook.cell_states() == cells, "the notebook took keys that were meant for the explorer"
    view.state()
    padding = view.number("padding", "conv1_1")
    view.set_number("padding", "conv1_1", int(padding.input_value()) - 1)
    assert view.says("crops").endswith("image 30")
    assert view.state()["network"] == "own"
    view.choose(first if first != "own" else "fcn32s")
    view.state()
