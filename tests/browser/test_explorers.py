"""Both explorers in JupyterLab, on small random networks: right numbers by mouse, keyboard and from Python."""

from __future__ import annotations

import json

import pytest

from tests.browser.explorer_view import ExplorerView, check_explorer

SETUP = """
import torch
from torch import nn
from course_utils.widgets import ReceptiveFieldExplorer, SlidingWindowExplorer
torch.manual_seed(0)
image = torch.rand(3, 64, 96)
"""
# A network without padding, so that its crops and its one pass agree; 64 × 96 is not square.
SLIDING = """
classifier = nn.Sequential(nn.Conv2d(3, 4, 8, 8), nn.ReLU(), nn.Conv2d(4, 3, 4))  # window 32, stride 8
shifted = {8: classifier(image[None])[0].detach(), 4: torch.zeros(3, 9, 17)}
for y in (0, 4):
    for x in (0, 4):
        scores = classifier(image[None, :, y:, x:])[0].detach()
        shifted[4][:, y // 4 :: 2, x // 4 :: 2] = scores
crops = torch.stack([
    classifier(image[None, :, y : y + 32, x : x + 32])[0, :, 0, 0].detach()
    for y in range(0, 33, 8) for x in range(0, 65, 8)
], 1).reshape(3, 5, 9)
sliding = SlidingWindowExplorer(image, shifted, ["cat", "dog", "car"], 32, crops + 0.125)
sliding
"""
FIELDS = """
padded = nn.Sequential(nn.Conv2d(3, 4, 5, 2, padding=2), nn.ReLU(), nn.Conv2d(4, 8, 5, padding=4, dilation=2))
dense = nn.Sequential(nn.Conv2d(3, 4, 9, 4), nn.AdaptiveAvgPool2d(1))
fields = ReceptiveFieldExplorer(image, {"padded": padded, "dense": dense}, {"padded": ["0", "2"], "dense": ["0", "1"]})
fields
"""

# Gradients that take as long as a large network's; `calls` lists the units asked for.
SLOW = """
import time
calls = []
def slow(*unit):
    calls.append(unit)
    time.sleep(0.3)
    return fields._compute_gradient(*unit)
fields.gradient = slow
"""


@pytest.fixture(scope="module")
def opened(open_notebook):
    with open_notebook(SETUP, SLIDING, FIELDS, device_scale_factor=2) as notebook:
        notebook.run_all()
        notebook.check()
        yield notebook
        notebook.check()


@pytest.fixture
def sliding(opened):
    opened.python("sliding.stride, sliding.class_name, sliding.shifts = 8, 'cat', False")
    opened.wait_until_idle()
    return ExplorerView(opened, 0)


@pytest.fixture
def fields(opened):
    opened.python("fields.network, fields.layer, fields.gradient = 'padded', '0', fields._compute_gradient")
    opened.wait_until_idle()
    return ExplorerView(opened, 1)


@pytest.mark.parametrize("index", [0, 1])
def test_explorer_works_by_mouse_and_keyboard(opened, index):
    check_explorer(ExplorerView(opened, index))
    opened.check()


@pytest.mark.parametrize("index", [0, 1])
def test_canvases_are_as_sharp_as_the_screen(opened, index):
    view = ExplorerView(opened, index)
    for stage in (view.image, view.map):
        canvas = stage.locator("canvas")
        assert canvas.evaluate("canvas => canvas.width / canvas.getBoundingClientRect().width") == pytest.approx(2)


class TestSlidingWindows:
    def test_numbers_are_those_of_the_network(self, opened, sliding):
        """Window, score and the size arithmetic, for a class and cells chosen by hand."""
        sliding.root.get_by_role("combobox", name="Class").select_option("dog")
        sliding.point(sliding.map, 7.5 / 9, 1.5 / 5)
        expected = json.loads(
            opened.python("import json; print(json.dumps([shifted[8][1, 1, 7].item(), crops[1, 1, 7].item()]))")
        )
        assert sliding.position() == (1, 7)
        assert sliding.says("window") == "rows 8–39, columns 56–87"
        assert sliding.says("size") == "(64 − 32) / 8 + 1 = 5 down, (96 − 32) / 8 + 1 = 9 across".replace("−", "-")
        assert float(sliding.says("score")) == pytest.approx(expected[0], abs=1e-3)
        assert float(sliding.says("crop")) == pytest.approx(expected[1] + 0.125, abs=1e-3)
        assert float(sliding.says("difference")) == pytest.approx(-0.125, abs=1e-3)

    def test_pointing_at_the_image_finds_the_nearest_window(self, sliding):
        sliding.point(sliding.image, (16 + 8 * 3 + 3) / 96, (16 + 8 * 2 - 3) / 64)
        assert sliding.position() == (2, 3)
        sliding.point(sliding.image, 0.999, 0.001)
        assert sliding.position() == (0, 8)

    def test_dragging_out_of_the_image_stays_at_its_border(self, opened, sliding):
        box = sliding.image.bounding_box()
        sliding.point(sliding.image, 0.5, 0.5)
        opened.page.mouse.down()
        opened.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] + 60)
        opened.page.mouse.up()
        sliding.settle()
        assert sliding.position() == (4, 4)

    @pytest.mark.parametrize(
        ("keys", "position"),
        [
            (["ArrowRight"], (0, 1)),
            (["ArrowLeft", "ArrowUp"], (0, 0)),
            (["End"], (0, 8)),
            (["End", "Home"], (0, 0)),
            (["PageDown"], (1, 0)),
            (["PageDown", "PageDown", "PageUp"], (1, 0)),
            (["Control+End"], (4, 8)),
            (["Control+End", "ArrowDown", "ArrowRight"], (4, 8)),
        ],
    )
    def test_keys(self, sliding, keys, position):
        sliding.press("Control+Home", *keys)
        assert sliding.position() == position

    def test_the_window_stays_in_its_place_when_the_stride_changes(self, opened, sliding):
        sliding.press("Control+Home", "ArrowDown", "ArrowRight", "ArrowRight")
        sliding.root.get_by_role("radio", name="4", exact=True).check()
        sliding.settle()
        assert (sliding.position(), sliding.says("window")) == ((2, 4), "rows 8–39, columns 16–47")
        assert sliding.says("crop") != "–"
        sliding.press("ArrowRight")
        assert sliding.says("crop").startswith("–"), "there is a crop score at the coarsest stride only"
        assert opened.python("print(sliding.stride, sliding.row, sliding.col)") == "4 2 5"

    def test_passes_of_shift_and_stitch(self, opened, sliding):
        sliding.root.get_by_role("radio", name="4", exact=True).check()
        sliding.root.get_by_role("checkbox", name="Shifted passes").check()
        sliding.press("Control+Home", "ArrowDown")
        assert sliding.says("pass") == "pass 3 of 4 image from row 4, column 0"
        every = sliding.pictures()
        sliding.root.get_by_role("radio", name="3", exact=True).check()
        sliding.settle()
        assert opened.python("print(sliding.only_shift)") == "[4, 0]"
        one = sliding.pictures()
        assert one[0] != every[0] and one[1] != every[1]
        sliding.root.get_by_role("radio", name="8", exact=True).check()
        opened.wait_until_idle()
        assert opened.python("print(sliding.only_shift)") == "[]"
        assert sliding.says("pass") == "the one pass"

    def test_radio_buttons_keep_their_arrow_keys(self, opened, sliding):
        cells = opened.cell_states()
        sliding.root.get_by_role("radio", name="8", exact=True).focus()
        opened.page.keyboard.press("ArrowRight")
        opened.wait_until_idle()
        assert (opened.python("print(sliding.stride)"), opened.cell_states()) == ("4", cells)

    def test_python_moves_the_window(self, opened, sliding):
        opened.python("sliding.row, sliding.col, sliding.class_name = 3, 6, 'car'")
        opened.wait_until_idle()
        assert sliding.position() == (3, 6)
        assert float(sliding.says("score")) == pytest.approx(float(opened.python("print(sliding.score)")), abs=1e-3)
        assert sliding.root.get_by_role("combobox", name="Class").input_value() == "car"

    def test_labels_tell_what_there_is_to_see(self, sliding):
        sliding.press("Control+Home")
        score = sliding.says("score")
        assert f"Row 0, column 0 of 5 by 9: cat scores {score}." in sliding.map.get_attribute("aria-label").replace(
            "−", "-"
        )
        assert "rows 0–31, columns 0–31" in sliding.image.get_attribute("aria-label")
        sliding.notebook.page.wait_for_timeout(600)
        assert "Row 0, column 0" in sliding.root.locator("[aria-live]").inner_text()


class TestReceptiveFields:
    @pytest.mark.parametrize(
        ("network", "layer", "size", "start"),
        [
            ("padded", "0", "5 × 5 pixels stride 2", "starts at -2, centre 0"),
            ("padded", "2", "21 × 21 pixels stride 2", "starts at -10, centre 0"),
            ("dense", "0", "9 × 9 pixels stride 4", "starts at 0, centre 4"),
            ("dense", "1", "∞", "–"),
        ],
    )
    def test_theory(self, opened, fields, network, layer, size, start):
        fields.root.get_by_role("combobox", name="Network").select_option(network)
        fields.root.get_by_role("combobox", name="Layer").select_option(layer)
        fields.settle()
        assert (fields.says("size"), fields.says("start")) == (size, start)
        check_explorer(fields)

    def test_padding_is_told(self, opened, fields):
        fields.root.get_by_role("combobox", name="Layer").select_option("2")
        fields.press("Control+Home", "ArrowRight")
        assert fields.says("box") == "rows -10…10, columns -8…12"
        assert fields.says("outside") == "10 above, 8 left"

    def test_gradient_field_arrives_and_is_the_right_one(self, opened, fields):
        fields.root.get_by_role("combobox", name="Layer").select_option("2")
        opened.python(SLOW)
        fields.press("Control+End", "ArrowUp")
        assert fields.says("share").startswith("…")
        box_only = fields.pictures()[0]
        opened.wait_until_idle()
        fields.settle()
        row, col = fields.position()
        share = opened.python(
            "from course_utils.receptive_field import *\n"
            f"gradient = effective_receptive_field(padded, '2', image, ({row}, {col}))\n"
            f"top, left, bottom, right = receptive_field(padded, '2', (64, 96)).box({row}, {col})\n"
            "area = (min(bottom, 64) - max(top, 0)) * (min(right, 96) - max(left, 0))\n"
            "print(100 * effective_area(gradient) / area)"
        )
        assert float(fields.says("share").split(" %")[0]) == pytest.approx(float(share), abs=0.51)
        assert fields.pictures()[0] != box_only

    def test_the_unit_stays_in_its_place_when_the_layer_changes(self, opened, fields):
        fields.press("Control+End")
        fields.root.get_by_role("combobox", name="Network").select_option("dense")
        fields.settle()
        rows, cols = map(int, fields.says("position").split(" of ")[1].split(" × "))
        assert fields.position() == (rows - 1, cols - 1)

    def test_pointing_at_the_image_finds_the_nearest_field(self, opened, fields):
        """The image has a margin, so the pixel is looked up in the box that comes back."""
        fields.point(fields.image, 0.5, 0.5)
        top, bottom = map(int, fields.says("box").split(",")[0].removeprefix("rows ").split("…"))
        left, right = map(int, fields.says("box").split("columns ")[1].split("…"))
        assert abs((top + bottom + 1) / 2 - 32) <= 1 and abs((left + right + 1) / 2 - 48) <= 1

    def test_a_drag_asks_for_few_gradients_and_ends_with_the_newest(self, opened, fields):
        """One request in flight, the newest next: the kernel must not be sent one for every unit passed."""
        opened.python(SLOW)
        fields.root.get_by_role("combobox", name="Layer").select_option("0")
        for step in range(40):
            fields.point(fields.map, (step + 0.5) / 48, 0.3)
        opened.wait_until_idle()
        calls = json.loads(opened.python("import json; print(json.dumps(calls))"))
        assert calls[-1][2:] == list(fields.position())
        assert len(calls) < 25
        assert "%" in fields.says("share")

    def test_an_error_in_the_kernel_is_told(self, opened, fields):
        opened.python("fields.gradient = lambda *unit: 1 / 0")
        fields.press("Control+End", "ArrowUp", "ArrowUp", "ArrowUp")
        opened.wait_until_idle()
        fields.settle()
        assert fields.says("share") == "failed ZeroDivisionError: division by zero"
        assert any("ZeroDivisionError" in problem for problem in opened.problems)
        opened.problems.clear()
