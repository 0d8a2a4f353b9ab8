"""The alignment explorer in JupyterLab: every number that it tells is that of course_utils.alignment."""

from __future__ import annotations

import random

import pytest

from tests.browser.alignment_view import AlignmentView, check_alignment
from tests.browser.page_checks import (
    check_names,
    check_narrow,
    check_only_the_kernel_is_missing,
    check_readable,
    end_kernel,
)

SETUP = """
from course_utils.alignment import Layer
from course_utils.widgets import AlignmentExplorer
"""
KNOWN = """
known = AlignmentExplorer("fcn8s")
known
"""
# Strides of three, so that places are thirds; the join is a third of a unit off.
THIRDS = """
own = [Layer("conv", "conv", 4, 3, 1), Layer("up", "deconv", 3, 3), Layer("sum", "join", source="image")]
thirds = AlignmentExplorer(own, size=31)
thirds
"""


@pytest.fixture(scope="module")
def opened(open_notebook):
    with open_notebook(SETUP, KNOWN, THIRDS, "known", device_scale_factor=2) as notebook:
        notebook.run_all()
        notebook.check()
        yield notebook
        notebook.check()


@pytest.fixture
def view(opened):
    opened.python(
        "known.network = 'fcn32s'; known.network, known.view, known.size, known.pixel = 'fcn8s', 'start', 500, 250"
    )
    opened.wait_until_idle()
    yield AlignmentView(opened)
    opened.check()


def test_it_works_by_mouse_and_keyboard(view):
    check_alignment(view)


@pytest.mark.parametrize(
    ("network", "size", "crops", "smallest"),
    [
        ("fcn32s", 500, "image 19", "1"),
        ("fcn16s", 500, "pool4 5, image 27", "1"),
        ("fcn_alexnet", 500, "image 18", "1"),
        ("fcn_googlenet", 333, "image 98", "1"),
        ("unet", 572, "conv4 4, conv3 16, conv2 40, conv1 88, image 92", "188"),
        ("fcn8s_same", 512, "pool4 0, pool3 0, image 0", "1"),
    ],
)
def test_the_crops_of_the_papers(view, network, size, crops, smallest):
    view.choose(network)
    view.slide("Image", size)
    assert (view.says("crops"), view.says("smallest").split()[0]) == (crops, smallest)
    view.state()


def test_the_derivation_of_a_chosen_layer(view):
    view.number("kernel", "fc6").focus()
    view.settle()
    assert view.says("derivation") == (
        "fc6: size ⌊(22 + 2·0 - 6 - 1) / 1⌋ + 1 = 16 stride 32 · 1 = 32; unit 0 at -83.5 + (6/2 - 0)·32 = 12.5"
    )
    view.number("kernel", "upscore").focus()
    view.settle()
    assert "unit 0 at -23.5 - (15/2 - 0)·1 = -31" in view.says("derivation")
    assert view.state()["layer"] == "upscore"


@pytest.mark.parametrize("shown", ["the beginning", "all", "the pixel's surroundings"])
def test_the_picture_says_where_the_mouse_is(opened, view, shown):
    view.root.get_by_role("radio", name=shown, exact=True).check()
    view.settle()
    for across in (0.3, 0.5, 0.7):
        view.point(view.map, across, 0.4)
        view.state()
    picture = view.pictures()
    view.press("ArrowRight")
    assert view.pictures() != picture
    view.press("End", "ArrowRight")
    assert view.pixel() == 499
    view.state()


def test_padding_and_size_move_everything(view):
    view.slide("First padding", 69)
    assert view.says("crops") == "pool4 5, pool3 9, image 0"
    view.slide("First padding", 1)
    view.slide("Image", 100)
    assert view.says("problem").startswith("layer 'fc6': a window of 7 units does not fit in a map of 4")
    assert view.table()["fc6"] == ["–", "–", "–", ""]
    assert view.says("smallest") == "193 pixels"
    view.state()
    view.slide("Image", 193)
    assert view.state()["problem"] == ""


@pytest.mark.parametrize("seed", range(2))
def test_random_changes_give_the_numbers_of_python(view, seed):
    draws = random.Random(seed)
    view.choose("unet")
    for _ in range(4):
        layer = draws.choice(["conv1_1", "pool2", "conv5", "up4", "decode1", "pool4"])
        view.set_number(draws.choice(["kernel", "stride", "padding"]), layer, draws.randint(1, 4))
    view.state()


def test_places_in_thirds_are_exact(opened):
    thirds = AlignmentView(opened, 1)
    assert thirds.says("crops") == "image none (0.5 pixel off)"
    thirds.set_number("kernel", "up", 4)
    thirds.set_number("stride", "conv", 1)
    assert thirds.table()["up"] == ["91", "1/3", "0", ""]
    assert "layer 'sum': maps of strides 1 and 1/3 do not lie on each other" in thirds.says("problem")
    thirds.state()
    opened.check()


def test_an_even_kernel_on_alexnet_is_half_a_pixel_off(view):
    view.choose("fcn_alexnet")
    view.set_number("kernel", "upscore", 64)
    assert view.says("crops") == "image none (0.5 pixel off)"
    view.number("kernel", "upscore").focus()
    view.press("End")
    assert view.state()["rows"][-1]["crop"] is None


def test_layers_come_and_go(view):
    view.choose("fcn32s")
    view.number("kernel", "fc6").focus()
    view.root.get_by_role("combobox", name="New layer").select_option("deconv")
    view.root.get_by_role("button", name="Add below").click()
    view.settle()
    assert list(view.table())[-4:] == ["fc6", "deconv_1", "upscore", "score"]
    assert view.state()["layer"] == "deconv_1"
    view.root.get_by_role("button", name="Remove").click()
    view.settle()
    assert list(view.table())[-3:] == ["fc6", "upscore", "score"]
    assert view.says("crops") == "image 19"
    view.state()


def test_two_views_show_the_same(opened, view):
    second = AlignmentView(opened, 2)
    second.choose("fcn16s")
    second.press("Home", "ArrowRight")
    opened.wait_until_idle()
    for _ in range(100):  # the other view follows at a frame of its own
        if view.says("position") == second.says("position") and view.table() == second.table():
            break
        opened.page.wait_for_timeout(50)
    assert (view.pixel(), view.says("crops")) == (1, "pool4 5, image 27")


def test_it_is_readable_named_and_narrow_where_the_cell_is(opened, view):
    check_readable(view)
    check_names(view)
    opened.use_theme(False)
    check_narrow(view, [view.map])


def test_it_lives_on_without_a_kernel(view):
    view.slide("First padding", 100)
    end_kernel(view)
    view.choose("fcn_alexnet")
    assert view.says("crops") == "image 18"
    view.press("Home", "ArrowRight")
    assert view.pixel() == 1
    view.notebook.page.wait_for_timeout(300)  # the last change is sent, in vain, a little later
    check_only_the_kernel_is_missing(view)
