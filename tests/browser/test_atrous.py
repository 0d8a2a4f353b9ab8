"""The atrous explorer in JupyterLab: positions, rates, branches and stacks, every count equal to the kernel's."""

from __future__ import annotations

import pytest

from tests.browser.atrous_view import AtrousView, check_atrous
from tests.browser.page_checks import (
    check_names,
    check_narrow,
    check_only_the_kernel_is_missing,
    check_readable,
    end_kernel,
)

SETUP = """
import torch
from course_utils.widgets import AtrousExplorer
torch.manual_seed(0)
"""
PLAIN = """
plain = AtrousExplorer(size=(17, 29), rate=4, rates=(3, 5))
plain
"""
PHOTO = """
photo = AtrousExplorer(torch.rand(3, 40, 50))
photo
"""


@pytest.fixture(scope="module")
def opened(open_notebook):
    with open_notebook(SETUP, PLAIN, PHOTO, "plain") as notebook:
        notebook.run_all()
        notebook.check()
        yield notebook
        notebook.check()


@pytest.fixture
def view(opened):
    opened.python("plain.size = [17, 29]; plain.mode, plain.rate, plain.row, plain.col = 'one', 4, 8, 14")
    opened.python("plain.rates, plain.stack = [3, 5], [2, 2, 2]")
    opened.wait_until_idle()
    explorer = AtrousView(opened)
    explorer.settle()
    yield explorer
    opened.check()


@pytest.mark.parametrize("index", [0, 1])
def test_it_works_by_mouse_and_keyboard(opened, index):
    check_atrous(AtrousView(opened, index))
    opened.check()


def test_every_rate_has_the_shares_of_the_kernel(view):
    for rate in (1, 8, 16, 17, 29, 32):
        view.set_rate(rate)
        view.point_at(rate % 17, rate % 29)
        assert view.check_numbers()["rates"] == [rate]


def test_it_tells_when_a_kernel_is_no_3_by_3_any_more(view):
    """17 rows, 29 columns; at rate 16 there are 15 · 3 positions of 493 with the centre alone."""
    kinds = {
        8: "a 3 × 3 convolution whole in the middle, cut at the border",
        9: "nowhere a whole 3 × 3 at every position some taps are outside",
        16: "a 1 × 1 at 9.1 % of the positions and nowhere a whole 3 × 3",
        17: "a 1 × 3 convolution the taps above and below are outside everywhere",
        29: "a 1 × 1 convolution eight of the nine weights meet nothing but zeros, wherever it stands",
    }
    for rate, kind in kinds.items():
        view.set_rate(rate)
        assert view.says("kind") == kind


def test_taps_at_a_corner_meet_zeros(view):
    view.point_at(0, 0)
    assert view.says("taps") == "4 of 9 inside 5 meet zeros"
    view.point_at(8, 14)
    assert view.says("taps") == "9 of 9 inside none meets zeros"
    assert view.says("reach") == "9 × 9 1 + 2 · rate"


def test_aspp_shows_every_branch(view):
    view.show("ASPP")
    assert view.check_numbers()["rates"] == [3, 5]
    before = view.pictures()
    view.choose("Rates", "6, 12, 18")
    state = view.check_numbers()
    assert state["rates"] == [6, 12, 18] and len(view.shares()) == 3
    assert all(old != new for old, new in zip(before, view.pictures(), strict=True))


@pytest.mark.parametrize(
    ("stack", "seen"),
    [("1, 1, 1", "49 of 49 100.0 % of what the field covers of the map: no holes"),
     ("2, 2, 2", "49 of 169 29.0 % of what the field covers of the map: gridding"),
     ("1, 2, 5", "289 of 289 100.0 % of what the field covers of the map: no holes")],
)  # fmt: skip
def test_a_stack_sees_all_or_a_grid(view, stack, seen):
    view.show("stacked layers")
    view.choose("Rates of the layers", stack)
    assert view.says("seen") == seen
    view.check_numbers()
    view.point_at(0, 3)
    view.check_numbers()


def test_the_map_of_another_output_stride(opened, view):
    view.set_rate(30)
    assert view.says("size") == "257 × 449 pixels at output stride 16 129 × 225 pixels at output stride 8"
    view.choose("Map", "33 × 33")
    assert view.says("size").startswith("513 × 513 pixels at output stride 16")
    view.choose("Map", "65 × 65")
    assert view.says("size").endswith("513 × 513 pixels at output stride 8")
    view.point_at(64, 64)
    view.set_rate(60)
    assert view.check_numbers()["size"] == [65, 65]
    view.choose("Map", "17 × 29")
    state = view.check_numbers()
    assert (state["position"], state["rates"]) == ([16, 28], [32]), "what lies outside comes to the border"


def test_the_chart_changes_the_rate(opened, view):
    box, mouse = view.image.bounding_box(), opened.page.mouse
    mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 50)
    view.settle()
    assert view.check_numbers()["rates"] == [4], "hovering is not dragging"
    mouse.down()
    mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 50)
    view.settle()
    middle = view.check_numbers()["rates"][0]
    mouse.move(box["x"] + box["width"] + 90, box["y"] + 50)
    mouse.up()
    view.settle()
    assert 12 < middle < 24 and view.check_numbers()["rates"] == [32]


def test_dragging_into_the_zeros_stays_at_the_border(opened, view):
    view.point_at(3, 4)
    opened.page.mouse.down()
    box = view.map.bounding_box()
    opened.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] + 30)
    view.settle()
    assert view.position() == (16, 14)
    opened.page.mouse.move(box["x"] - 20, box["y"] - 20)
    opened.page.mouse.up()
    view.settle()
    assert view.position() == (0, 0)
    view.point(view.ground, 0.99, 0.5)
    assert view.position() == (8, 28), "pointing at the zeros is pointing at the border"


def test_keys(view):
    view.press("Control+Home", "ArrowRight", "PageDown", "+", "+", "-", "-", "-")
    state = view.check_numbers()
    assert (state["position"], state["rates"]) == ([4, 1], [3])
    view.press("Control+End")
    assert view.position() == (16, 28)


def test_two_views_show_the_same(opened, view):
    other = AtrousView(opened, 2)
    other.point_at(2, 20)
    other.set_rate(11)
    opened.wait_until_idle()
    opened.page.wait_for_timeout(200)
    assert view.shares() == other.shares() and view.position() == other.position() == (2, 20)


def test_those_who_listen_are_told(opened, view):
    view.point_at(0, 0)
    opened.page.wait_for_timeout(700)
    assert view.root.locator("[aria-live]").inner_text().startswith("row 0, column 0: 4 of 9 inside; a 3 × 3")
    assert "Feature map, 17 by 29. row 0, column 0" in view.map.get_attribute("aria-label")
    check_names(view)


def test_text_can_be_read_in_both_themes(view):
    check_readable(view)


def test_it_fits_a_narrow_cell(view):
    check_narrow(view, [view.ground, view.image])


def test_it_lives_on_without_a_kernel(opened, view):
    """The last test of this page: the kernel ends, and rates and positions go on."""
    end_kernel(view)
    before = view.shares()
    view.set_rate(9)
    view.point_at(3, 3)
    assert view.shares() != before and view.position() == (3, 3)
    opened.page.wait_for_timeout(300)
    check_only_the_kernel_is_missing(view)
