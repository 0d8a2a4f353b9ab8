"""The skip mixer in JupyterLab: every move of a slider gives the classes and the IoU of torch."""

from __future__ import annotations

import random

import pytest

from tests.browser.page_checks import (
    check_names,
    check_narrow,
    check_only_the_kernel_is_missing,
    check_readable,
    end_kernel,
)
from tests.browser.skip_mixer_view import MixerView, check_mixer

# 32 × 48 is not square; class d is absent from the target.
SETUP = """
import numpy as np
import torch
from course_utils.plotting import OKABE_ITO
from course_utils.widgets import SkipMixer
torch.manual_seed(0)
classes = ["a", "b", "c", "d"]
colors = [[int(OKABE_ITO[name][i : i + 2], 16) for i in (1, 3, 5)]
          for name in ("sky blue", "black", "orange", "yellow")]
image = torch.rand(3, 32, 48)
target = torch.arange(32)[:, None] // 12 % 3 + torch.zeros(48, dtype=torch.int64)
target[5:9, 10:20] = 255
scores = {"conv7": torch.randn(4, 2, 3), "pool4": torch.randn(4, 4, 6), "pool3": torch.randn(4, 8, 12)}
"""
MIXER = """
mixer = SkipMixer(image, scores, classes, colors, target)
mixer
"""
# No target, and sizes that are no strides.
SECOND = """
second = SkipMixer(image, {"deep": torch.randn(4, 1, 1), "fine": torch.randn(4, 7, 5)}, classes, colors)
second
"""


@pytest.fixture(scope="module")
def opened(open_notebook):
    with open_notebook(SETUP, MIXER, SECOND, "mixer") as notebook:
        notebook.run_all()
        notebook.check()
        yield notebook
        notebook.check()


@pytest.fixture
def view(opened):
    opened.python("mixer.weights = {name: 1 for name in scores}")
    opened.wait_until_idle()
    explorer = MixerView(opened)
    explorer.settle()
    yield explorer
    opened.check()


@pytest.mark.parametrize("index", [0, 1])
def test_it_works_by_mouse_and_keyboard(opened, index):
    check_mixer(MixerView(opened, index))
    opened.check()


@pytest.mark.parametrize("seed", range(3))
def test_random_weights_and_pixels_give_the_numbers_of_torch(view, seed):
    draws = random.Random(seed)
    for name in view.weights():
        view.slider(name).fill(str(draws.randrange(0, 41) * 0.05))
    view.point_at(draws.randrange(32), draws.randrange(48))
    view.check_numbers()


@pytest.mark.parametrize(
    ("preset", "weights"),
    [("FCN-16s", [1, 0, 0]), ("FCN-8s", [1, 1, 0]), ("FCN-4s", [1, 1, 1])],
)
def test_presets_switch_maps_on(view, preset, weights):
    """Named by the finest stride that is on: 32 / 2, 32 / 4, 32 / 8."""
    view.root.get_by_role("radio", name=preset, exact=True).check()
    view.settle()
    assert list(view.check_numbers()["weights"].values()) == weights
    view.slider("pool4").fill("0.5")
    view.settle()
    assert view.root.get_by_role("radio", name=preset, exact=True).is_checked() is False


def test_without_strides_presets_are_called_by_their_maps(opened):
    second = MixerView(opened, 1)
    labels = second.root.get_by_role("radiogroup", name="Maps as in").locator("label").all_inner_texts()
    assert labels == ["deep", "deep + fine"]
    assert second.root.get_by_role("checkbox").is_visible() is False, "there is nothing to hatch without a target"


def test_it_tells_who_decides(opened, view):
    opened.python("mixer.weights = {'conv7': 0, 'pool4': 0, 'pool3': 0}")
    opened.wait_until_idle()
    view.settle()
    assert view.says("decides") == "nothing every weight is 0, so every sum is 0"
    assert view.says("label").startswith("a then b")
    view.slider("pool3").fill("1")
    view.settle()
    assert view.says("decides") == "pool3 alone the others have weight 0"
    view.check_numbers()
    view.slider("conv7").fill("1")
    told = set()
    for row in range(2, 32, 5):
        for col in range(2, 48, 9):
            view.point_at(row, col)
            told.add(view.says("decides").split(" without")[0])
    assert told > {"no single map"} and told & {"conv7", "pool3"}


def test_errors_are_hatched_and_the_truth_can_be_seen(view):
    plain = view.pictures()
    view.root.get_by_role("checkbox", name="Hatch what is wrong").uncheck()
    view.settle()
    bare = view.pictures()
    assert bare[0] == plain[0] and bare[1] != plain[1]
    view.root.get_by_role("radio", name="the truth").check()
    view.settle()
    assert view.pictures()[0] != plain[0] and view.pictures()[1] == bare[1]
    view.root.get_by_role("checkbox", name="Hatch what is wrong").check()
    view.root.get_by_role("radio", name="the image").check()
    view.settle()
    assert view.pictures() == plain


def test_an_absent_class_has_no_iou(opened, view):
    view.slider("conv7").fill("0")
    view.slider("pool4").fill("0")
    view.slider("pool3").fill("0")
    view.settle()
    assert view.root.locator("td[data-iou]").all_inner_texts()[3] == "–", "nothing is d, and nothing is called d"
    view.check_numbers()


def test_pointing_at_the_image_and_keys_move_the_cursor(view):
    view.point(view.image, 20.5 / 48, 7.5 / 32)
    assert view.position() == (7, 20)
    view.press("ArrowLeft", "PageDown", "End")
    assert view.position() == (15, 47)


def test_two_views_show_the_same(opened, view):
    other = MixerView(opened, 2)
    other.slider("pool4").fill("1.6")
    other.point_at(3, 40)
    opened.wait_until_idle()
    opened.page.wait_for_timeout(200)
    assert view.weights() == other.weights() and view.ious() == other.ious()
    assert view.position() == other.position() == (3, 40)


def test_those_who_listen_are_told(opened, view):
    view.point_at(0, 0)
    opened.page.wait_for_timeout(700)
    spoken = view.root.locator("[aria-live]").inner_text()
    assert spoken.startswith("Mean IoU 0.") and "Row 0, column 0: " in spoken
    assert "from conv7 + pool4 + pool3" in view.map.get_attribute("aria-label")
    check_names(view)


def test_text_can_be_read_in_both_themes(view):
    check_readable(view)


def test_it_fits_a_narrow_cell(view):
    check_narrow(view, [view.image, view.map])


def test_it_lives_on_without_a_kernel(opened, view):
    """The last test of this page: the kernel ends, and sliders and numbers go on."""
    end_kernel(view)
    before = view.ious()
    view.drag_slider("conv7", 0.2)
    view.point_at(1, 2)
    assert view.ious() != before and view.position() == (1, 2)
    opened.page.wait_for_timeout(300)
    check_only_the_kernel_is_missing(view)
