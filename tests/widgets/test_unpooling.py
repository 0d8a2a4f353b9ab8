"""The kernel's side of the unpooling explorer."""

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
from hypothesis.extra.numpy import arrays
from IPython.core.interactiveshell import InteractiveShell
from PIL import Image
from traitlets import TraitError

from course_utils.widgets import UnpoolingExplorer
from course_utils.widgets.unpooling import METHODS, upsample

FINITE = st.floats(-1e6, 1e6, width=32)


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(6, 10))


@pytest.fixture
def explorer(values) -> UnpoolingExplorer:
    return UnpoolingExplorer(values)


@given(arrays(np.float64, (4, 6), elements=st.sampled_from([-1.0, 0.0, 2.0, 3.5])))
def test_maxima_and_indices_are_those_of_each_window(values):
    explorer = UnpoolingExplorer(values)
    for (row, col), largest in np.ndenumerate(explorer.pooled):
        window = values[2 * row : 2 * row + 2, 2 * col : 2 * col + 2]
        first = np.unravel_index(window.argmax(), (2, 2))
        assert largest == window.max()
        assert explorer.indices[row, col] == (2 * row + first[0]) * 6 + 2 * col + first[1]


def result(explorer, method) -> np.ndarray:
    explorer.method = method
    return explorer.result


@given(arrays(np.float64, (4, 6), elements=FINITE))
def test_unpooling_puts_maxima_where_they_stood_and_zeros_elsewhere(values):
    explorer = UnpoolingExplorer(values)
    unpooled = result(explorer, "max_unpool")
    assert unpooled.flat[explorer.indices.ravel()].tolist() == explorer.pooled.ravel().tolist()
    assert np.count_nonzero(unpooled) <= 6
    corners = result(explorer, "corner")
    assert (corners[::2, ::2] == explorer.pooled).all()
    assert np.count_nonzero(corners) <= 6
    assert (result(explorer, "nearest") == explorer.pooled.repeat(2, 0).repeat(2, 1)).all()


def test_bilinear_is_the_mean_of_neighbours_weighted_by_nearness(explorer):
    padded = np.pad(explorer.pooled, 1, mode="edge")
    smooth = result(explorer, "bilinear")
    for (row, col), value in np.ndenumerate(smooth):
        near, far = ((position // 2 + 1, position // 2 + (2 if position % 2 else 0)) for position in (row, col))
        (y, x), (v, u) = zip(near, far, strict=True)
        expected = 9 * padded[y, x] + 3 * padded[v, x] + 3 * padded[y, u] + padded[v, u]
        assert value == pytest.approx(expected / 16)


def test_transposed_convolution_with_the_bilinear_kernel_is_bilinear_inside(explorer):
    transposed, bilinear = result(explorer, "transposed_4x4"), result(explorer, "bilinear")
    np.testing.assert_allclose(transposed[1:-1, 1:-1], bilinear[1:-1, 1:-1])
    np.testing.assert_allclose(transposed[0, 1:-1], 0.75 * bilinear[0, 1:-1])


def test_unpooling_to_corners_and_convolving_is_a_transposed_convolution(explorer):
    kernel = torch.outer(torch.tensor([0.5, 1, 0.5]), torch.tensor([0.5, 1, 0.5])).double()
    corners = torch.tensor(result(explorer, "corner"))
    convolved = F.conv2d(corners[None, None], kernel[None, None], padding=1)[0, 0]
    np.testing.assert_allclose(convolved, result(explorer, "transposed_3x3"))


@given(arrays(np.float64, (2, 6), elements=FINITE))
def test_scores_are_those_of_the_definitions(values):
    explorer = UnpoolingExplorer(values)
    scores = explorer.scores()
    assert list(scores) == list(METHODS)
    for method, score in scores.items():
        differences = result(explorer, method) - values
        assert score["rmse"] == pytest.approx(np.sqrt(np.mean(differences**2)), abs=1e-9)
        assert score["in_place"] == sum(abs(d) <= 1e-9 * np.abs(values).max() for d in differences.ravel())
    assert scores["max_unpool"]["in_place"] >= 3, "each maximum is at its place"


def test_a_constant_map_comes_back_whole_where_windows_are_filled():
    scores = UnpoolingExplorer(np.full((4, 6), 0.7)).scores()
    counts = {method: score["in_place"] for method, score in scores.items()}
    assert counts == {
        "max_unpool": 6, "corner": 6, "nearest": 24, "bilinear": 24, "transposed_4x4": 8, "transposed_3x3": 15,
    }  # fmt: skip


def test_every_way_is_computed_in_the_precision_of_the_map():
    pooled, indices = torch.rand(2, 3, dtype=torch.float64), torch.tensor([[0, 2, 4], [12, 14, 16]])
    for method in METHODS:
        assert upsample(pooled, indices, method).dtype == torch.float64
        assert upsample(pooled, indices, method).shape == (4, 6)


class TestBetweenKernelAndBrowser:
    def test_values_go_there_and_back(self, explorer, values):
        state = explorer.get_state()
        assert np.frombuffer(base64.b64decode(state["values"]), "<f8").tolist() == values.ravel().tolist()
        assert (state["_start"], state["_rows"], state["_cols"]) == (state["values"], 6, 10)
        changed = values[::-1].copy()
        explorer.set_state({"values": base64.b64encode(changed.tobytes()).decode()})
        assert (explorer.values == changed).all()
        assert explorer.get_state()["_start"] == state["_start"], "what was given can be had again"

    def test_it_starts_at_the_highest_value(self, explorer, values):
        assert values[explorer.row, explorer.col] == values.max()

    def test_python_sets_the_values_as_a_whole(self, explorer, values):
        with pytest.raises(ValueError, match="read-only"):
            explorer.values[0, 0] = 1
        mine = np.zeros((6, 10))
        explorer.values = torch.tensor(mine, requires_grad=True)
        assert not explorer.values.any() and isinstance(explorer.values, np.ndarray)
        values[:] = 0
        assert explorer._start != explorer.get_state()["values"], "what was given is copied"

    def test_integers_lists_and_tensors_will_do(self):
        for given_map in ([[1, 2], [3, 4]], np.arange(4, dtype=np.uint8).reshape(2, 2), torch.ones(2, 2).bool()):
            assert UnpoolingExplorer(given_map).values.dtype == np.float64

    def test_everything_is_json_text(self, explorer):
        state = explorer.get_state()
        json.dumps({key: value for key, value in state.items() if key != "layout"}, allow_nan=False)
        assert state["_esm"].count("export default") == 1
        assert not re.search(r"https?://|\bimport\b[ ({]", state["_esm"] + state["_css"])


class TestWithoutABrowser:
    def test_a_notebook_gets_a_picture_and_a_sentence(self, explorer):
        data, metadata = InteractiveShell.instance().display_formatter.format(explorer)
        assert metadata["image/png"]["alt"] == data["text/plain"] == explorer.describe()
        picture = base64.b64decode(data["image/png"])
        assert Image.open(io.BytesIO(picture)).width > 800 and len(picture) < 150_000

    @pytest.mark.parametrize("change", [{"method": "nearest"}, {"row": 0}, {"values": np.eye(6, 10)}])
    def test_picture_and_sentence_follow_the_state(self, explorer, change):
        before = InteractiveShell.instance().display_formatter.format(explorer)[0]
        for name, value in change.items():
            setattr(explorer, name, value)
        after = InteractiveShell.instance().display_formatter.format(explorer)[0]
        assert after["image/png"] != before["image/png"] and after["text/plain"] != before["text/plain"]

    def test_the_sentence(self):
        explorer = UnpoolingExplorer([[1, 0, 0, 2], [0, 0, 0, 4]])
        assert explorer.describe() == (
            "Unpooling explorer: a map of 2 × 4 values, the maxima of its 2 × 2 windows, and what comes back at full "
            "size by max unpooling: RMSE 0.707, 7 of 8 values at their place. Row 1, column 3 held 4 and now holds 4."
        )

    def test_a_large_map_makes_a_picture_too(self):
        assert UnpoolingExplorer(np.random.default_rng(0).random((32, 30))).poster()


@pytest.mark.parametrize(
    ("feature_map", "message"),
    [
        (np.zeros((3, 4)), r"feature_map has shape \(3, 4\); expected \(H, W\), one channel, each even and 2 to 32"),
        (np.zeros((1, 4, 6)), r"feature_map has shape \(1, 4, 6\); .* feature_map\[channel, :8, :12\]"),
        (np.zeros((4, 34)), r"shape \(4, 34\)"),
        (np.zeros((0, 4)), r"shape \(0, 4\)"),
        (np.full((2, 4), np.nan), "the map holds 8 NaN or infinite values of 8"),
        ([["a", "b"], ["c", "d"]], "the map's values are <U1; expected real numbers"),
        (np.zeros((2, 2), complex), "the map's values are complex128"),
    ],
)
def test_bad_arguments_get_an_error_that_says_what_to_do(feature_map, message):
    with pytest.raises(ValueError, match=message):
        UnpoolingExplorer(feature_map)


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("method", "cubic", TraitError, "method is 'cubic'; expected one of 'max_unpool', 'corner'"),
        ("row", 6, IndexError, "row is 6; expected 0 to 5"),
        ("col", -1, IndexError, "col is -1; expected 0 to 9"),
        ("values", np.zeros((10, 6)), TraitError, r"values has shape \(10, 6\); expected that of the map, \(6, 10\)"),
        ("values", np.full((6, 10), np.inf), TraitError, "60 NaN or infinite values of 60"),
    ],
)
def test_a_bad_state_is_refused(explorer, name, value, error, message):
    before = explorer.describe()
    with pytest.raises(error, match=message):
        setattr(explorer, name, value)
    assert explorer.describe() == before
