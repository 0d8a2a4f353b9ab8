"""A weight map explorer on a page: move w0 and sigma, point at pixels, compare every number with the kernel's."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Locator

from tests.browser.explorer_view import ExplorerView

# Every weight map explorer that lives in the kernel, with what its page must tell.
STATE = """
import json, gc, math
from course_utils.widgets import WeightMapExplorer
def told(e):
    place = e.row, e.col
    near = [e.d1[place], e.d2[place]] if e.cells else None
    return {"position": place, "size": e.instances.shape, "w0": e.w0, "sigma": e.sigma, "balanced": e.balanced,
            "near": near, "cells": e.cells, "weight": float(e.weights[place])}
print(json.dumps([told(e) for e in gc.get_objects() if issubclass(type(e), WeightMapExplorer)]))
"""


class WeightMapView(ExplorerView):
    """`image` is the cells, `map` the weights."""

    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, cols = self.says("position").split(" of ")[1].split(" × ")
        return int(rows), int(cols)

    def slider(self, name: str) -> Locator:
        """The slider of "w₀" or "σ"."""
        return self.root.get_by_role("slider", name=name, exact=True)

    def setting(self, name: str) -> float:
        """The number beside a slider."""
        text = self.slider(name).locator("xpath=..").locator("output").inner_text()
        return float(text.removesuffix(" pixels"))

    def balance(self, on: bool) -> None:
        """Set whether the classes are balanced."""
        self.root.get_by_role("checkbox", name="Balance the classes").set_checked(on)
        self.settle()

    def move_slider(self, name: str, to: float) -> None:
        """Press the mouse on a slider's knob and move it to a value, as near as its steps allow."""
        slider, mouse = self.slider(name), self.notebook.page.mouse
        slider.scroll_into_view_if_needed()
        box, (low, high) = slider.bounding_box(), (float(slider.get_attribute(end)) for end in ("min", "max"))
        down, knob = box["y"] + box["height"] / 2, 8
        width = box["width"] - 2 * knob
        mouse.move(box["x"] + knob + (self.setting(name) - low) / (high - low) * width, down)
        mouse.down()
        mouse.move(box["x"] + knob + (to - low) / (high - low) * width, down, steps=4)
        mouse.up()
        self.settle()

    def point_at(self, row: int, col: int, stage: Locator | None = None) -> None:
        """Move the mouse to a pixel of the weights, or of another stage."""
        rows, cols = self.size()
        self.point(stage or self.map, (col + 0.5) / cols, (row + 0.5) / rows)

    def number(self, name: str) -> float:
        """A value of the read-out without the words behind it."""
        return float(self.says(name).split()[0])

    def check_numbers(self) -> dict:
        """Raise AssertionError unless the kernel has an explorer that says all this page says; return its state."""
        self.notebook.wait_until_idle()
        states = json.loads(self.notebook.python(STATE))
        settings = self.setting("w₀"), self.setting("σ")
        here = [
            state
            for state in states
            if (tuple(state["position"]), tuple(state["size"])) == (self.position(), self.size())
            and (state["w0"], state["sigma"]) == pytest.approx(settings, abs=0.006)
        ]
        assert here, f"no explorer in the kernel is at {self.position()} with {settings}: {states}"
        state = here[0]
        assert self.number("weight") == pytest.approx(state["weight"], abs=0.6e-4)
        if state["near"] is None:
            assert self.says("d1") == self.says("d2") == "none there are fewer than two cells"
            return state
        for name, distance, cell in zip(("d1", "d2"), state["near"], state["cells"], strict=True):
            assert self.number(name) == pytest.approx(distance, abs=0.6e-4)
            assert self.says(name).endswith(f" pixels, cell {cell}")
        base = float(re.search(r"w_c \(\w+\) ([\d.]+) ", self.says("weight"))[1])
        assert base + self.number("border") == pytest.approx(state["weight"], abs=1.6e-4)
        return state


def check_weight_map(view: WeightMapView) -> None:
    """Raise AssertionError unless the explorer is painted, follows sliders, mouse and keys, and tells the truth."""
    rows, cols = view.size()
    view.point_at(0, 0)
    assert view.position() == (0, 0), "the explorer does not follow the mouse"
    assert min(view.count_colors()) > 2, "a canvas is blank"
    before = view.pictures()
    view.point_at(rows - 1, cols - 1)
    assert view.position() == (rows - 1, cols - 1), "the explorer does not follow the mouse"
    assert all(old != new for old, new in zip(before, view.pictures(), strict=True)), "a picture did not change"
    near = view.check_numbers()["near"]
    for name, to in (("σ", 12), ("w₀", 20)):
        old, wanted = view.pictures(), view.setting(name)
        view.move_slider(name, to)
        assert view.setting(name) != wanted and view.setting(name) == pytest.approx(to, abs=1), "a slider does not move"
        new = view.pictures()
        assert new[0] == old[0], "the cells do not depend on the settings"
        if near:
            assert new[1] != old[1], "the weights did not change their colours"
        view.check_numbers()
    view.balance(False)
    assert not view.check_numbers()["balanced"]
    view.balance(True)
    assert view.check_numbers()["balanced"]

    cells = view.notebook.cell_states()
    view.press("Control+Home", "ArrowDown", "b")
    assert view.position() == (min(1, rows - 1), 0), "the explorer does not follow the keyboard"
    view.slider("σ").focus()
    view.notebook.page.keyboard.press("Home")
    view.settle()
    assert view.notebook.cell_states() == cells, "the notebook took keys that were meant for the explorer"
    assert view.check_numbers()["sigma"] == 0.5, "the slider does not follow the keyboard"
