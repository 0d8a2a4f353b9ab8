"""The conv arithmetic explorer in JupyterLab: all that it says are the kernel's numbers, which are PyTorch's."""

from __future__ import annotations

import random

import pytest

from tests.browser.conv_arithmetic_view import ConvArithmeticView, check_conv_arithmetic
from tests.browser.page_checks import (
    check_names,
    check_narrow,
    check_only_the_kernel_is_missing,
    check_readable,
    end_kernel,
)

SETUP = "from course_utils.widgets import ConvArithmeticExplorer"
PLAIN = """
plain = ConvArithmeticExplorer()
plain
"""
DECONV = """
deconv = ConvArithmeticExplorer(4, kernel=4, stride=2, padding=1, transposed=True)
deconv
"""
RESET = "e.size, e.kernel, e.stride, e.padding, e.dilation, e.output_padding, e.transposed, e.side, e.hits = {}"


@pytest.fixture(scope="module")
def opened(open_notebook):
    with open_notebook(SETUP, PLAIN, DECONV, "plain", device_scale_factor=2) as notebook:
        notebook.run_all()
        notebook.check()
        yield notebook
        notebook.check()


@pytest.fixture
def plain(opened):
    opened.python("e = plain\n" + RESET.format("5, 3, 1, 0, 1, 0, False, 'output', False"))
    opened.wait_until_idle()
    yield ConvArithmeticView(opened, 0)
    opened.check()


@pytest.fixture
def deconv(opened):
    opened.python("e = deconv\n" + RESET.format("4, 4, 2, 1, 1, 0, True, 'output', False"))
    opened.wait_until_idle()
    yield ConvArithmeticView(opened, 1)
    opened.check()


@pytest.mark.parametrize("index", [0, 1])
def test_it_works_by_mouse_and_keyboard(opened, index):
    check_conv_arithmetic(ConvArithmeticView(opened, index))
    opened.check()


@pytest.mark.parametrize("seed", range(2))
def test_random_settings_give_the_numbers_of_python(plain, seed):
    draws = random.Random(seed)
    for _ in range(3):
        settings = {
            "size": draws.randint(1, 12),
            "kernel": draws.randint(1, 5),
            "stride": draws.randint(1, 4),
            "padding": draws.randint(0, 4),
            "dilation": draws.randint(1, 3),
        }
        transposed = draws.random() < 0.5
        if transposed:
            settings["output_padding"] = draws.randint(0, 2)
        plain.choose(transposed, **settings)
        stage = draws.choice([plain.image, plain.map])
        if stage.is_visible():
            plain.point(stage, draws.random(), draws.random())
        plain.state()


def test_every_output_of_a_padded_convolution_by_mouse(plain):
    """Rows and columns 0 and 2 see a row of padding each: 2 or 3 by 2 or 3 units."""
    plain.choose(False, size=5, kernel=3, stride=2, padding=1)
    for row in range(3):
        for col in range(3):
            plain.point_at(plain.map, row, col, 0, 3)
            assert plain.position() == (row, col)
            seen = (2 + (row == 1)) * (2 + (col == 1))
            assert plain.connected() == seen
            assert (f"{9 - seen} taps in the padding" in plain.says("unit")) == (seen < 9)


def test_the_size_formula_is_live(plain, deconv):
    plain.choose(False, size=7, kernel=3, stride=2, padding=1, dilation=2)
    assert plain.says("size").startswith("⌊(7 + 2·1 - 2·(3 - 1) - 1) / 2⌋ + 1 = ⌊4 / 2⌋ + 1 = 3")
    assert deconv.says("size").startswith("(4 - 1)·2 - 2·1 + 1·(4 - 1) + 0 + 1 = 8")
    assert deconv.says("grid").startswith("n + (n - 1)(s - 1) = 7, border 2 d(k - 1) - p = 3 - 1")


def test_both_readings_of_a_transposed_convolution(deconv):
    """An output meets 2 × 2 inputs under a stamp of 4 at stride 2; a stamp at the corner loses a row and a column."""
    deconv.point_at(deconv.map, 3, 3, 1, 10)
    assert (deconv.position(), deconv.connected()) == ((3, 3), 4)
    window = deconv.zeros.locator("canvas").evaluate("canvas => canvas.toDataURL()")
    deconv.point_at(deconv.map, 3, 4, 1, 10)
    assert deconv.zeros.locator("canvas").evaluate("canvas => canvas.toDataURL()") != window
    deconv.point_at(deconv.image, 0, 0, 0, 4)
    assert deconv.says("unit") == "stamps 3 × 3 = 9 units of the output 7 taps cut off"
    assert deconv.state()["side"] == "input"
    # The window's middle, 1.5 units from its first tap, lies between two cells of the grid.
    deconv.point(deconv.zeros, (5.2 + 0.5) / 11, (3.2 + 0.5) / 11)
    assert (deconv.position(), deconv.state()["side"]) == ((2, 4), "output")


@pytest.mark.parametrize(
    ("settings", "remark"),
    [
        ({"kernel": 1, "dilation": 3}, "changes nothing"),
        ({"size": 6, "kernel": 3, "stride": 2}, "1 row and 1 column of the padded input are never read"),
        ({"kernel": 2, "padding": 2}, "the outermost outputs see only padding"),
        ({"size": 7, "kernel": 2, "stride": 3}, "there are inputs that are never read"),
    ],
)
def test_what_is_odd_about_a_convolution_is_told(plain, settings, remark):
    plain.choose(False, **settings)
    assert remark in plain.says("remarks")


@pytest.mark.parametrize(
    ("settings", "remark"),
    [
        ({"kernel": 2, "stride": 3}, "outputs that no stamp reaches"),
        ({"kernel": 2, "padding": 2}, "the zero-inserted grid is cropped by 1 instead"),
        ({"kernel": 3, "output_padding": 1}, "adds units below and right only"),
    ],
)
def test_what_is_odd_about_a_transposed_convolution_is_told(deconv, settings, remark):
    deconv.choose(True, **settings)
    assert remark in deconv.says("remarks")
    deconv.state()


def test_hits_tell_a_checkerboard(deconv):
    assert deconv.says("hits").startswith("each hit 4 times")
    even = deconv.pictures()
    deconv.root.get_by_role("checkbox", name="Count the hits").check()
    deconv.settle()
    assert deconv.pictures() != even
    deconv.choose(kernel=3)
    assert deconv.says("hits") == "hit 1, 2 or 4 times inside: a checkerboard"


def test_impossible_settings_are_explained_and_can_be_left(plain):
    plain.choose(False, size=3, kernel=5)
    assert plain.says("problem").startswith("The kernel spans d(k - 1) + 1 = 5 units")
    assert not plain.map.is_visible()
    assert plain.root.get_by_role("button", name="Show as its transpose").is_disabled()
    plain.choose(True, kernel=3, output_padding=1)
    assert plain.says("problem").startswith("The output padding, 1, must be less than")
    plain.choose(stride=2)
    assert plain.state()["output_size"] == 8


def test_the_transpose_leads_there_and_back(plain):
    plain.choose(False, size=6, kernel=3, stride=2, padding=1)
    button = plain.root.get_by_role("button", name="Show as its transpose")
    for expected in ((True, 3, 6, 1), (False, 6, 3, 0)):
        button.click()
        plain.settle()
        state = plain.state()
        settings = state["settings"]
        found = settings["transposed"], settings["size"], state["output_size"], settings["output_padding"]
        assert found == expected
    plain.choose(True, size=12, stride=3)
    assert button.is_disabled() and "at most 12 are shown" in button.get_attribute("title")


def test_play_goes_on_by_itself_until_it_is_stopped(opened, plain):
    plain.press("Control+Home")
    plain.root.get_by_role("button", name="Play").click()
    plain.map.locator("canvas").wait_for()
    opened.page.wait_for_function(
        """() => document.querySelector('.explorer [data-value="position"]').textContent.startsWith('row 1')""",
        timeout=10_000,
    )
    plain.root.get_by_role("button", name="Stop").click()
    opened.page.wait_for_timeout(100)
    place = plain.position()
    opened.page.wait_for_timeout(700)
    assert plain.position() == place


def test_readers_who_want_no_motion_step_by_hand(opened, plain):
    opened.page.emulate_media(reduced_motion="reduce")
    plain.settle()
    plain.press("Control+Home")
    plain.root.get_by_role("button", name="Next unit").click()
    opened.page.wait_for_timeout(700)
    assert plain.position() == (0, 1)
    opened.page.emulate_media(reduced_motion="no-preference")
    plain.settle()


def test_two_views_show_the_same(opened, plain):
    second = ConvArithmeticView(opened, 2)
    second.choose(False, size=8, stride=2)
    second.press("Control+Home", "ArrowRight")
    opened.wait_until_idle()
    for _ in range(100):  # the other view follows at a frame of its own
        if plain.position() == second.position():
            break
        opened.page.wait_for_timeout(50)
    assert plain.position() == second.position() == (0, 1)
    assert plain.says("size") == second.says("size")


def test_it_is_readable_named_and_narrow_where_the_cell_is(opened, plain, deconv):
    for view in (plain, deconv):
        check_readable(view)
        check_names(view)
    opened.use_theme(False)
    check_narrow(plain, [plain.image, plain.map])
    check_narrow(deconv, [deconv.image, deconv.zeros, deconv.map])


def test_it_lives_on_without_a_kernel(opened, deconv):
    end_kernel(deconv)
    deconv.choose(True, kernel=3)
    assert deconv.says("size").endswith("= 7 (n - 1)s - 2p + d(k - 1) + output padding + 1")
    deconv.point_at(deconv.map, 1, 1, 1, 9)
    assert (deconv.position(), deconv.connected()) == ((1, 1), 4)
    deconv.notebook.page.wait_for_timeout(300)  # the last change is sent, in vain, a little later
    check_only_the_kernel_is_missing(deconv)
