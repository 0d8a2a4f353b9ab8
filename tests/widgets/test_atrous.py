"""The kernel's side of the atrous explorer: every count by brute force, by a convolution of ones."""

from __future__ import annotations

import base64
import io
import json
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from PIL import Image
from traitlets import TraitError

from course_utils.widgets import AtrousExplorer
from course_utils.widgets.atrous import shares, taps_inside, ways_to_see

SIDES = st.integers(1, 12)
RATES = st.integers(1, 15)
ONES = torch.ones(1, 1, 3, 3, dtype=torch.float64)


def convolve(x: torch.Tensor, rate: int) -> torch.Tensor:
    return F.conv2d(x, ONES, padding=rate, dilation=rate)


@pytest.fixture
def explorer() -> AtrousExplorer:
    return AtrousExplorer(size=(9, 14), rate=3, rates=(2, 5))


@given(SIDES, SIDES, RATES)
def test_taps_and_shares_are_those_of_a_convolution_of_ones(rows, cols, rate):
    counts = convolve(torch.ones(1, 1, rows, cols, dtype=torch.float64), rate)[0, 0].numpy()
    np.testing.assert_array_equal(taps_inside((rows, cols), rate), counts)
    told = shares((rows, cols), rate)
    assert told.all_nine == (counts == 9).mean()
    assert told.weights == pytest.approx(counts.mean() / 9, rel=1e-14)
    assert told.only_centre == (counts == 1).mean()


@given(SIDES, SIDES, RATES)
def test_it_is_a_1_by_1_exactly_from_the_longer_side_on(rows, cols, rate):
    assert (shares((rows, cols), rate).only_centre == 1) == (rate >= max(rows, cols))


@given(SIDES, SIDES, st.lists(st.integers(1, 6), min_size=1, max_size=4), st.data())
def test_a_stack_sees_what_has_a_gradient(rows, cols, rates, data):
    position = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, cols - 1))
    image = torch.zeros(1, 1, rows, cols, dtype=torch.float64, requires_grad=True)
    layer = image
    for rate in rates:
        layer = convolve(layer, rate)
    layer[0, 0, position[0], position[1]].backward()
    np.testing.assert_array_equal(ways_to_see((rows, cols), position, rates), image.grad[0, 0].numpy())


def test_the_order_of_rates_matters_at_the_border():
    assert ways_to_see((1, 4), (0, 0), [1, 3]).tolist() == [[1, 1, 1, 1]]
    assert ways_to_see((1, 4), (0, 1), [3, 1]).tolist() == [[1, 1, 1, 1]]
    assert ways_to_see((1, 4), (0, 1), [1, 3]).tolist() == [[1, 1, 1, 0]]


def test_aspp_on_33_by_33():
    """By hand: 21² = 441, 9² = 81 and no position of 1089 have all nine taps inside at rates 6, 12, 18."""
    assert [round(1089 * shares((33, 33), rate).all_nine) for rate in (6, 12, 18)] == [441, 81, 0]
    assert [round(9 * 1089 * shares((33, 33), rate).weights) for rate in (6, 12, 18)] == [87**2, 75**2, 63**2]
    assert [round(1089 * shares((33, 33), rate).only_centre) for rate in (16, 17, 18, 32, 33)] == [0, 1, 9, 961, 1089]


def test_properties_follow_the_state(explorer):
    explorer.row, explorer.col = 1, 13
    assert explorer.shares == shares((9, 14), 3)
    assert explorer.taps == [(row, col) for row in (-2, 1, 4) for col in (10, 13, 16)]
    inside = [0 <= row < 9 and 0 <= col < 14 for row, col in explorer.taps]
    assert sum(inside) == taps_inside((9, 14), 3)[1, 13]
    explorer.stack = [1, 2]
    assert (explorer.seen == (ways_to_see((9, 14), (1, 13), [1, 2]) > 0)).all()
    assert explorer.seen.sum() == 5 * 4


class TestBetweenKernelAndBrowser:
    def test_it_starts_in_the_middle_with_what_was_given(self, explorer):
        state = explorer.get_state()
        assert (state["size"], state["rate"], state["rates"], state["row"], state["col"]) == ([9, 14], 3, [2, 5], 4, 7)
        assert state["_size_choices"] == [[9, 14], [33, 33], [65, 65]]
        assert state["_rate_choices"] == [[2, 5], [6, 12, 18], [12, 24, 36]]
        assert AtrousExplorer()._size_choices == [[33, 33], [65, 65]]
        assert not state["_has_photo"]

    def test_an_image_is_sent_as_it_is(self):
        image = torch.rand(3, 20, 30)
        explorer = AtrousExplorer(image, (5, 6), rate=2)
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(explorer._image.split(",")[1]))))
        np.testing.assert_array_equal(pixels, (image * 255).round().permute(1, 2, 0).numpy())
        assert explorer._has_photo

    def test_a_smaller_map_takes_position_and_rate_along(self, explorer):
        explorer.row, explorer.col, explorer.rate = 8, 13, 17
        explorer.size = [4, 6]
        assert (explorer.row, explorer.col, explorer.rate) == (3, 5, 9)
        explorer.set_state({"size": [65, 65], "row": 60, "col": 2, "rate": 68})
        assert (explorer.size, explorer.row, explorer.col, explorer.rate) == ([65, 65], 60, 2, 68)

    def test_everything_is_json_text(self, explorer):
        state = explorer.get_state()
        json.dumps({key: value for key, value in state.items() if key != "layout"}, allow_nan=False)
        assert state["_esm"].count("export default") == 1
        assert not re.search(r"https?://|\bimport\b[ ({]", state["_esm"] + state["_css"])


class TestWithoutABrowser:
    @pytest.mark.parametrize("mode", ["one", "aspp", "stack"])
    def test_a_notebook_gets_a_picture_and_a_sentence(self, explorer, mode):
        explorer.mode = mode
        data, metadata = InteractiveShell.instance().display_formatter.format(explorer)
        assert metadata["image/png"]["alt"] == data["text/plain"] == explorer.describe()
        picture = base64.b64decode(data["image/png"])
        assert Image.open(io.BytesIO(picture)).width > 800 and len(picture) < 150_000

    @pytest.mark.parametrize(
        "change",
        [{"rate": 5}, {"row": 0}, {"mode": "aspp"}, {"mode": "stack"}, {"size": [20, 20]}],
        ids=lambda change: next(iter(change)),
    )
    def test_the_picture_follows_the_state(self, explorer, change):
        before = InteractiveShell.instance().display_formatter.format(explorer)[0]["image/png"]
        for name, value in change.items():
            setattr(explorer, name, value)
        assert InteractiveShell.instance().display_formatter.format(explorer)[0]["image/png"] != before

    def test_a_photo_is_in_the_picture(self):
        bare, photo = (AtrousExplorer(image, (5, 6), rate=2) for image in (None, torch.rand(3, 20, 30)))
        pictures = [InteractiveShell.instance().display_formatter.format(e)[0]["image/png"] for e in (bare, photo)]
        assert pictures[0] != pictures[1]

    def test_what_a_stack_sees_is_in_the_picture(self, explorer):
        explorer.mode = "stack"
        drawn = explorer.poster().axes[0].images[0]
        assert (drawn.get_array().filled(False) == explorer.seen).all()
        assert drawn.get_zorder() > explorer.poster().axes[0].patches[0].get_zorder(), "not under the map's paper"

    def test_the_sentences(self, explorer):
        start = "Atrous explorer: a 3 × 3 kernel on a map of 9 × 14"
        assert explorer.describe() == (
            f"{start}: at rate 3, 19.0 % of the positions have all nine taps inside, 66.7 % of the weights meet the "
            "map, and 0.0 % of the positions have the centre alone."
        )
        explorer.mode = "aspp"
        assert f"{start}: at rate 2, " in explorer.describe() and "; at rate 5, " in explorer.describe()
        explorer.mode = "stack"
        assert explorer.describe() == (
            f"{start}, layers of rates 2, 2, 2 on one another: 35 pixels are seen from row 4, column 7."
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": (0, 5)}, r"size is \[0, 5\]; expected \(h, w\), whole numbers from 1 to 129"),
        ({"size": (130, 5)}, r"size is \[130, 5\]"),
        ({"size": (5, 5, 5)}, r"size is \[5, 5, 5\]"),
        ({"size": (5.0, 5)}, r"size is \[5.0, 5\]"),
        ({"rates": ()}, r"rates is \[\]; expected one to 4 whole numbers from 1 to 132"),
        ({"rates": (1, 2, 3, 4, 5)}, r"rates is \[1, 2, 3, 4, 5\]"),
        ({"rates": (0,)}, r"rates is \[0\]"),
        ({"image": torch.rand(2, 5, 5)}, "image is a tensor of shape"),
    ],
)
def test_bad_arguments_get_an_error_that_says_what_to_do(arguments, message):
    with pytest.raises(ValueError, match=message):
        AtrousExplorer(**arguments)


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("mode", "two", TraitError, "mode is 'two'; expected one of 'one', 'aspp', 'stack'"),
        ("rate", 0, TraitError, "rate is 0; expected 1 to 17: from 14 on nothing changes any more"),
        ("rate", 18, TraitError, "rate is 18; expected 1 to 17"),
        ("stack", [], TraitError, r"stack is \[\]; expected one to 4"),
        ("size", [0, 1], TraitError, r"size is \[0, 1\]"),
        ("row", 9, IndexError, "row is 9; expected 0 to 8"),
        ("col", -1, IndexError, "col is -1; expected 0 to 13"),
    ],
)
def test_a_bad_state_is_refused(explorer, name, value, error, message):
    before = explorer.describe()
    with pytest.raises(error, match=message):
        setattr(explorer, name, value)
    assert explorer.describe() == before


def test_a_rate_beyond_the_map_is_refused_at_once():
    with pytest.raises(TraitError, match="rate is 9; expected 1 to 8"):
        AtrousExplorer(size=(4, 5), rate=9)
