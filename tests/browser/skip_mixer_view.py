"""A skip mixer on a page: move its sliders, point at pixels, and compare every number with the kernel's."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Locator

from tests.browser.explorer_view import ExplorerView

# Every skip mixer that lives in the kernel, with what its page must tell.
STATE = """
import json, gc
from course_utils.widgets import SkipMixer
def told(m):
    ious = m.confusion_matrix() if m.target is not None else None
    return {"position": [m.row, m.col], "weights": m.weights, "deciders": m.deciders,
            "names": m.class_names, "prediction": m.prediction.tolist(), "mixed": m.mixed[:, m.row, m.col].tolist(),
            "iu": None if ious is None else [*ious.iu().tolist(), ious.mean_iu()]}
print(json.dumps([told(m) for m in gc.get_objects() if issubclass(type(m), SkipMixer)]))
"""


class MixerView(ExplorerView):
    """`image` is the image, `map` the class of every pixel."""

    def size(self) -> tuple[int, int]:
        """Rows and columns of the image."""
        rows, cols = self.says("position").split(" of ")[1].split(" × ")
        return int(rows), int(cols)

    def slider(self, name: str) -> Locator:
        """The slider of one map."""
        return self.root.get_by_role("slider", name=f"Weight of {name}", exact=True)

    def weights(self) -> dict[str, float]:
        """name → weight, as the sliders stand."""
        inputs = self.root.locator("input[type=range]").all()
        names = [each.inner_text().removeprefix("Weight of ") for each in self.root.locator(".mixer-map label").all()]
        return {name: float(each.input_value()) for name, each in zip(names, inputs, strict=True)}

    def drag_slider(self, name: str, to: float) -> None:
        """Take a slider by its middle, where weight 1 stands, and move it to another weight."""
        slider, mouse = self.slider(name), self.notebook.page.mouse
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        down = box["y"] + box["height"] / 2
        thumb = 8  # half of the thumb's width
        at = {weight: box["x"] + thumb + weight / 2 * (box["width"] - 2 * thumb) for weight in (1, to)}
        mouse.move(at[1], down)
        mouse.down()
        for part in (0.5, 1):
            mouse.move(at[1] + part * (at[to] - at[1]), down)
        mouse.up()
        self.settle()

    def point_at(self, row: int, col: int) -> None:
        """Move the mouse to a pixel of the map."""
        rows, cols = self.size()
        self.point(self.map, (col + 0.5) / cols, (row + 0.5) / rows)

    def ious(self) -> list[float]:
        """IoU of each class and their mean, all digits."""
        return [float(cell.get_attribute("title")) for cell in self.root.locator("td[data-iou]").all()]

    def check_numbers(self) -> dict:
        """Raise AssertionError unless the kernel has a mixer that says all this page says; return its state."""
        states = json.loads(self.notebook.python(STATE))
        here = [
            state
            for state in states
            if (tuple(state["position"]), state["weights"]) == (self.position(), self.weights())
            and (state["iu"] is None) == (self.root.locator("td[data-iou]").count() == 0)
        ]
        assert here, f"no mixer in the kernel is at {self.position()} with {self.weights()}: {states}"
        state = here[0]
        if state["iu"] is not None:
            assert self.ious() == pytest.approx(state["iu"], rel=1e-12, abs=1e-12, nan_ok=True)
        row, col = state["position"]
        names, mixed = state["names"], state["mixed"]
        first = state["prediction"][row][col]
        second = max((k for k in range(len(names)) if k != first), key=mixed.__getitem__)
        assert self.says("label").split(";")[0] == f"{names[first]} then {names[second]}"
        sums = self.root.locator(".mixer-sum").first.locator("td").all_inner_texts()[1:3]
        for text, k in zip(sums, (first, second), strict=True):
            number = text.replace("−", "-")
            assert float(number) == pytest.approx(mixed[k], abs=0.501 * 10 ** -len(number.partition(".")[2]))
        for name, other in state["deciders"].items():
            assert f"without {name}: {other}" in self.says("decides")
        if not state["deciders"]:
            assert "without " not in self.says("decides").replace("without any one of them", "")
        return state


def check_mixer(view: MixerView) -> None:
    """Raise AssertionError unless the mixer is painted, follows sliders, mouse and keys, and tells the truth."""
    rows, cols = view.size()
    view.point_at(0, 0)
    assert view.position() == (0, 0), "the mixer does not follow the mouse"
    assert min(view.count_colors()) > 2, "a canvas is blank"
    before = view.pictures()
    view.point_at(rows - 1, cols - 1)
    assert view.position() == (rows - 1, cols - 1), "the mixer does not follow the mouse"
    assert all(old != new for old, new in zip(before, view.pictures(), strict=True)), "a picture did not change"
    names = list(view.weights())
    prediction = view.check_numbers()["prediction"]
    for name in names:
        view.drag_slider(name, 0.25)
    state = view.check_numbers()
    assert all(weight == 0.25 for weight in state["weights"].values()), "the sliders do not reach the kernel"
    assert state["prediction"] == prediction, "the same share of every map is the same picture"
    if len(names) > 1:
        view.root.get_by_role("radiogroup", name="Maps as in").get_by_role("radio").first.check()
        view.settle()
        assert view.check_numbers()["weights"] == {name: float(name == names[0]) for name in names}

    cells = view.notebook.cell_states()
    view.press("Control+Home", "ArrowDown", "b")
    assert view.position() == (1, 0), "the mixer does not follow the keyboard"
    view.slider(names[-1]).focus()
    view.notebook.page.keyboard.press("End")
    view.settle()
    assert view.notebook.cell_states() == cells, "the notebook took keys that were meant for the mixer"
    assert view.check_numbers()["weights"][names[-1]] == 2, "the slider does not follow the keyboard"
    view.root.get_by_role("radiogroup", name="Maps as in").get_by_role("radio").last.check()
    view.check_numbers()
