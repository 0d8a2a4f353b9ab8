"""The unpooling explorer in JupyterLab: every change of a value, by mouse or keys, gives the numbers of torch."""

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
from tests.browser.unpooling_view import UnpoolingView, check_unpooling

SETUP = """
import numpy as np
from course_utils.widgets import UnpoolingExplorer
rng = np.random.default_rng(0)
values = rng.integers(-3, 4, (6, 8)) / 2  # several windows have two equal maxima
"""
SMALL = """
small = UnpoolingExplorer(values)
small
"""
LARGE = """
large = UnpoolingExplorer(rng.random((32, 24)) * 50)
large
"""
WAYS = ["max unpooling", "top-left corner", "nearest", "bilinear", "transposed 4 × 4", "transposed 3 × 3"]


@pytest.fixture(scope="module")
def opened(open_notebook):
    with open_notebook(SETUP, SMALL, LARGE, "small") as notebook:
        notebook.run_all()
        notebook.check()
        yield notebook
        notebook.check()


@pytest.fixture
def view(opened):
    opened.python("small.values, small.method = values, 'max_unpool'")
    opened.wait_until_idle()
    explorer = UnpoolingView(opened)
    explorer.settle()
    yield explorer
    opened.check()


@pytest.mark.parametrize("index", [0, 1])
def test_it_works_by_mouse_and_keyboard(opened, index):
    check_unpooling(UnpoolingView(opened, index))
    opened.check()


@pytest.mark.parametrize("way", WAYS)
def test_every_way_back_gives_the_values_of_torch(view, way):
    view.choose(way)
    state = view.check_numbers()
    for row, col in ((0, 0), (0, 3), (2, 7), (3, 4), (5, 0), (5, 7)):
        view.point_at(row, col)
        assert view.position() == (row, col)
        view.check_position(state)


@pytest.mark.parametrize("seed", range(2))
def test_random_changes_give_the_numbers_of_torch(view, seed):
    draws = random.Random(seed)
    before = view.check_numbers()["values"]
    for _ in range(4):
        view.choose(draws.choice(WAYS))
        view.drag_value(draws.randrange(6), draws.randrange(8), draws.randint(-150, 150))
    assert view.check_numbers()["values"] != before


def test_an_index_jumps_when_another_value_becomes_the_largest(opened, view):
    opened.python("v = np.zeros((6, 8)); v[2, 4] = 0.5; v[3, 5] = 0.4; small.values = v")
    opened.wait_until_idle()
    view.point_at(2, 4)
    assert view.says("window").startswith("0.500 at row 2, column 4 index 20; in its window 0, in bits 00")
    assert view.says("source") == "pooled row 1, column 2 its maximum, 0.500"
    before = view.pictures()
    view.drag_value(3, 5, 60)
    assert "index 29; in its window 3, in bits 11" in view.says("window")
    assert view.check_numbers()["indices"][1][2] == 29
    assert view.pictures()[0] != before[0] and view.pictures()[1] != before[1]
    view.point_at(2, 4)
    assert view.says("source") == "nothing no index points here"


SOURCES = [
    ("top-left corner", (2, 4), "pooled row 1, column 2 its maximum, 6.00"),
    ("top-left corner", (3, 4), "nothing not a top-left corner"),
    ("nearest", (3, 5), "pooled row 1, column 2 its maximum, 6.00"),
    ("bilinear", (3, 5), "9/16 · 6.00 + 3/16 · 7.00 + 3/16 · 10.00 + 1/16 · 11.00"),
    ("bilinear", (0, 0), "pooled row 0, column 0 its maximum, 0.00"),
    ("bilinear", (0, 1), "3/4 · 0.00 + 1/4 · 1.00"),
    ("transposed 4 × 4", (0, 1), "9/16 · 0.00 + 3/16 · 1.00 the weights add up to 3/4: the rest lies outside"),
    ("transposed 3 × 3", (2, 5), "1/2 · 6.00 + 1/2 · 7.00"),
    ("transposed 3 × 3", (5, 7), "1/4 · 11.00 the weights add up to 1/4: the rest lies outside"),
]


def test_it_tells_where_a_value_comes_from(opened, view):
    opened.python("small.values = np.arange(12.0).reshape(3, 4).repeat(2, 0).repeat(2, 1)")
    opened.wait_until_idle()
    for way, cell, source in SOURCES:
        view.choose(way)
        view.point_at(*cell)
        assert view.says("source") == source, (way, cell)


def test_pointing_at_a_pooled_value_finds_its_maximum(view):
    state = view.check_numbers()
    view.point(view.pooled, 2.5 / 4, 1.5 / 3)
    assert view.position() == divmod(state["indices"][1][2], 8)
    assert "difference 0.000" in view.says("value")


@pytest.mark.parametrize("stage", ["image", "map"])
def test_keys(opened, view, stage):
    getattr(view, stage).focus()
    keyboard = opened.page.keyboard
    for key in ("Control+Home", "ArrowRight", "ArrowDown", "ArrowDown"):
        keyboard.press(key)
    view.settle()
    assert view.position() == (2, 1)
    before = view.check_numbers()["values"]
    keyboard.press("+")
    keyboard.press("+")
    view.settle()
    up = view.check_numbers()["values"]
    assert up[2][1] > before[2][1]
    up[2][1] = before[2][1]
    assert up == before, "only one value changes"
    for _ in range(3):
        keyboard.press("-")
    view.settle()
    assert view.check_numbers()["values"][2][1] < before[2][1]
    assert view.position() == (2, 1)


def test_a_value_can_be_typed_and_stepped(opened, view):
    view.point_at(4, 6)
    field = view.root.get_by_role("spinbutton", name="Value at the cursor")
    field.fill("1.25")
    view.settle()
    assert view.check_numbers()["values"][4][6] == 1.25
    field.press("ArrowUp")
    view.settle()
    higher = view.check_numbers()["values"][4][6]
    assert 1.25 < higher < 1.6
    field.fill("")
    view.settle()
    assert view.check_numbers()["values"][4][6] == higher, "an empty field is no value"
    field.fill("1000")
    view.settle()
    assert 2 < view.check_numbers()["values"][4][6] < 10, "values stay in the range of the colours"
    view.root.get_by_role("button", name="Start again").click()
    opened.wait_until_idle()
    assert opened.python("print((small.values == values).all())") == "True"
    assert float(field.input_value()) == float(opened.python("print(values[4, 6])"))


def test_two_views_show_the_same(opened, view):
    other = UnpoolingView(opened, 2)
    other.drag_value(1, 1, 80)
    other.choose("nearest")
    opened.wait_until_idle()
    opened.page.wait_for_timeout(200)
    assert view.says("error") == other.says("error") and view.position() == other.position()
    view.check_numbers()


def test_those_who_listen_are_told(opened, view):
    view.choose("nearest")
    view.point_at(0, 0)
    opened.page.wait_for_timeout(700)
    assert "row 0, column 0: " in view.root.locator("[aria-live]").inner_text()
    assert "by nearest; it comes from pooled row 0, column 0" in view.map.get_attribute("aria-label")
    check_names(view)


def test_text_can_be_read_in_both_themes(view):
    check_readable(view)


def test_it_fits_a_narrow_cell(view):
    check_narrow(view, [view.image, view.pooled, view.map])


def test_it_lives_on_without_a_kernel(opened, view):
    """The last test of this page: the kernel ends, and values and numbers go on."""
    end_kernel(view)
    before = view.says("error")
    view.drag_value(0, 0, 90)
    view.choose("bilinear")
    assert view.says("error") != before
    opened.page.wait_for_timeout(300)
    check_only_the_kernel_is_missing(view)
