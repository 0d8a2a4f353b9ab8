"""The weight map explorer in JupyterLab: at every setting and pixel it tells the numbers of course_utils."""

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
from tests.browser.weight_map_view import WeightMapView, check_weight_map

SETUP = """
import torch
from course_utils.data import load_dataset
from course_utils.widgets import WeightMapExplorer
image, mask, instances = load_dataset("cells", "val", size=(48, 72), length=1, instances=True)[0]
"""
EXPLORER = """
explorer = WeightMapExplorer(instances, image)
explorer
"""
# One cell in two pieces, no photo.
LONELY = """
lonely = WeightMapExplorer(torch.tensor([[1, 1, 0, 0, 1], [1, 0, 0, 0, 0], [0, 0, 0, 1, 1]]))
lonely
"""


@pytest.fixture(scope="module")
def opened(open_notebook):
    with open_notebook(SETUP, EXPLORER, LONELY, "explorer") as notebook:
        notebook.run_all()
        notebook.check()
        yield notebook
        notebook.check()


@pytest.fixture
def view(opened):
    opened.python("explorer.w0, explorer.sigma, explorer.balanced = 10, 5, True")
    opened.wait_until_idle()
    explorer = WeightMapView(opened)
    explorer.settle()
    yield explorer
    opened.check()


@pytest.mark.parametrize("index", [0, 1])
def test_it_works_by_mouse_and_keyboard(opened, index):
    check_weight_map(WeightMapView(opened, index))
    opened.check()


@pytest.mark.parametrize("seed", range(3))
def test_random_settings_and_pixels_give_the_kernels_numbers(view, seed):
    draws = random.Random(seed)
    view.slider("w₀").fill(str(draws.randrange(0, 61) * 0.5))
    view.slider("σ").fill(str(draws.randrange(2, 81) * 0.25))
    view.balance(draws.random() < 0.5)
    view.point_at(draws.randrange(48), draws.randrange(72))
    view.check_numbers()


def test_pixels_inside_cells_between_them_and_on_borders(opened, view):
    places = opened.python(
        "d1, d2 = explorer.d1, explorer.d2; import numpy as np;"
        "print([np.argwhere(where)[0].tolist() for where in ((instances.numpy() > 0) & (d1 >= 3),"
        " (instances.numpy() == 0) & (d1 + d2 < 8), d1 == 0, d1 > 6)])"
    )
    for row, col in eval(places):
        view.point_at(row, col)
        assert view.position() == (row, col)
        view.check_numbers()


def test_pointing_at_the_cells_and_keys_move_the_pixel(view):
    view.point_at(20, 33, view.image)
    assert view.position() == (20, 33)
    view.press("ArrowLeft", "PageDown", "End")
    assert view.position() == (32, 71)


def test_a_larger_sigma_weighs_more_pixels_and_w0_nothing_without_it(opened, view):
    view.point_at(0, 0)
    weights = []
    for sigma in ("1", "5", "20"):
        view.slider("σ").fill(sigma)
        view.settle()
        weights.append(view.number("weight"))
    assert weights == sorted(weights)
    view.slider("w₀").fill("0")
    view.settle()
    assert view.number("border") == 0
    view.balance(False)
    assert view.number("weight") == 1


def test_python_moves_the_page(opened, view):
    opened.python("explorer.w0, explorer.sigma, explorer.row, explorer.col = 7.25, 3.3, 5, 9")
    opened.wait_until_idle()
    view.settle()
    assert (view.setting("w₀"), view.setting("σ"), view.position()) == (7.25, 3.3, (5, 9))
    view.check_numbers()


def test_two_views_show_the_same(opened, view):
    other = WeightMapView(opened, 2)
    other.slider("σ").fill("8")
    other.point_at(3, 40)
    opened.wait_until_idle()
    opened.page.wait_for_timeout(200)
    assert view.setting("σ") == other.setting("σ") == 8
    assert view.position() == other.position() == (3, 40) and view.says("weight") == other.says("weight")


def test_those_who_listen_are_told(opened, view):
    view.point_at(0, 0)
    opened.page.wait_for_timeout(700)
    spoken = view.root.locator("[aria-live]").inner_text()
    assert spoken.startswith("Row 0, column 0: weight ")
    assert spoken in view.map.get_attribute("aria-label") and spoken in view.image.get_attribute("aria-label")
    check_names(view)


def test_text_can_be_read_in_both_themes(view):
    check_readable(view)


def test_it_fits_a_narrow_cell(view):
    check_narrow(view, [view.image, view.map])


def test_it_lives_on_without_a_kernel(opened, view):
    """The last test of this page: the kernel ends, and sliders and numbers go on."""
    end_kernel(view)
    before = view.pictures()
    view.move_slider("σ", 12)
    view.point_at(1, 2)
    assert view.pictures()[1] != before[1] and view.position() == (1, 2)
    opened.page.wait_for_timeout(300)
    check_only_the_kernel_is_missing(view)
