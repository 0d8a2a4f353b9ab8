"""The kernel's side of the weight map explorer."""

from __future__ import annotations

import base64
import io
import json
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from PIL import Image
from traitlets import TraitError

from course_utils.data import load_dataset
from course_utils.weight_maps import nearest_cells, unet_weight_map
from course_utils.widgets import WeightMapExplorer

SIZE = (12, 20)


@pytest.fixture
def instances() -> torch.Tensor:
    """Three cells, two of which touch; their numbers have gaps."""
    ids = torch.zeros(SIZE, dtype=torch.int64)
    ids[1:6, 2:8], ids[6:10, 3:9], ids[2:5, 14:19] = 3, 9, 300
    return ids


@pytest.fixture
def explorer(instances) -> WeightMapExplorer:
    return WeightMapExplorer(instances, torch.rand(1, *SIZE, generator=torch.Generator().manual_seed(0)))


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 30), st.floats(0.5, 20), st.booleans())
def test_weights_are_those_of_the_function(w0, sigma, balanced):
    ids = torch.zeros(SIZE, dtype=torch.int64)
    ids[1:6, 2:8], ids[6:10, 3:9], ids[2:5, 14:19] = 3, 9, 300
    explorer = WeightMapExplorer(ids, w0=w0, sigma=sigma)
    explorer.balanced = balanced
    expected = unet_weight_map(ids, w0, sigma, None if balanced else (1, 1))
    np.testing.assert_array_equal(explorer.weights, expected)
    base = np.array(explorer._class_weights if balanced else [1, 1])[(ids > 0).long()]
    term = w0 * np.exp(-((explorer.d1 + explorer.d2) ** 2) / (2 * sigma**2))
    np.testing.assert_allclose(explorer.weights, base + term, rtol=1e-6)


def test_it_begins_where_two_cells_are_closest_with_the_papers_numbers(explorer):
    assert (explorer.w0, explorer.sigma, explorer.balanced) == (10, 5, True)
    assert explorer.d1[explorer.row, explorer.col] + explorer.d2[explorer.row, explorer.col] == 1
    assert set(explorer.cells) == {3, 9}


def test_the_two_cells_are_those_of_the_pixel(explorer):
    explorer.row, explorer.col = 3, 12
    assert explorer.cells == (300, 3) and explorer.d1[3, 12] == 2 and explorer.d2[3, 12] == 5
    explorer.col = 10
    assert explorer.cells == (3, 9) and explorer.d1[3, 10] == 3 and explorer.d2[3, 10] == np.sqrt(13)


@pytest.mark.parametrize("ids", [torch.zeros(5, 8, dtype=torch.int64), torch.ones(1, 1, dtype=torch.int64)])
def test_without_two_cells_there_is_no_border(ids):
    explorer = WeightMapExplorer(ids)
    assert explorer.cells is None and np.isinf(explorer.d2).all()
    assert (explorer.weights == 1).all() and explorer._class_weights == [1, 1]
    assert "weighs 1.00." in explorer.describe()
    InteractiveShell.instance().display_formatter.format(explorer)


class TestBetweenKernelAndBrowser:
    def test_the_browser_gets_cells_and_border_pixels(self, explorer, instances):
        sent = np.frombuffer(base64.b64decode(explorer._ids), "<u2")
        assert (sent == instances.numpy().ravel()).all()
        near = nearest_cells(instances)
        for text, site, distance in zip(explorer._sites, near[2:], near[:2], strict=True):
            there = np.frombuffer(base64.b64decode(text), "<i4").reshape(SIZE)
            np.testing.assert_array_equal(there, site)
            rows, cols = np.indices(SIZE)
            np.testing.assert_allclose(np.hypot(there // 20 - rows, there % 20 - cols), distance)

    def test_the_photo_or_else_the_cells_in_colours(self, explorer, instances):
        assert explorer.image.shape == (*SIZE, 3)
        colored = WeightMapExplorer(instances).image
        by_cell = {tuple(colored[instances == number].reshape(-1, 3).max(0)) for number in (0, 3, 9, 300)}
        assert len(by_cell) == 4

    def test_settings_come_back(self, explorer):
        explorer.set_state({"w0": 3.5, "sigma": 2, "balanced": False, "row": 4, "col": 11})
        assert (explorer.w0, explorer.sigma, explorer.balanced) == (3.5, 2, False)
        assert (explorer.row, explorer.col) == (4, 11)

    def test_everything_is_json_text(self, explorer):
        state = explorer.get_state()
        json.dumps({key: value for key, value in state.items() if key != "layout"}, allow_nan=False)
        assert state["_esm"].count("export default") == 1
        assert not re.search(r"https?://|\bimport\b[ ({]", state["_esm"] + state["_css"])

    def test_what_is_sent_is_small(self):
        image, _, ids = load_dataset("cells", "val", length=1, instances=True)[0]
        explorer = WeightMapExplorer(ids, image)
        state = explorer.get_state()
        assert len(json.dumps({key: state[key] for key in ("_ids", "_sites", "_image")})) < 200_000


class TestWithoutABrowser:
    def test_a_notebook_gets_a_picture_and_a_sentence(self, explorer):
        data, metadata = InteractiveShell.instance().display_formatter.format(explorer)
        assert metadata["image/png"]["alt"] == data["text/plain"] == explorer.describe()
        picture = base64.b64decode(data["image/png"])
        assert Image.open(io.BytesIO(picture)).width > 800 and len(picture) < 150_000

    def test_picture_and_sentence_follow_the_settings(self, explorer):
        before = InteractiveShell.instance().display_formatter.format(explorer)[0]
        explorer.sigma, explorer.row, explorer.col = 1.5, 3, 12
        after = InteractiveShell.instance().display_formatter.format(explorer)[0]
        assert after["image/png"] != before["image/png"]
        weights = explorer.weights
        assert after["text/plain"] == (
            "Weight map of 12 × 20 pixels with 3 cells, w0 = 10 and sigma = 1.5 pixels: weights from "
            f"{weights.min():.2f} to {weights.max():.2f}. Row 3, column 12 weighs {weights[3, 12]:.2f}: cell 300 is "
            "2.0 pixels away, cell 3 5.0."
        )


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"instances": torch.zeros(1, *SIZE).long()}, ValueError, r"int64 of shape \(1, 12, 20\); expected integers"),
        ({"instances": torch.zeros(SIZE)}, ValueError, "instances is float32"),
        ({"instances": torch.zeros(SIZE, dtype=torch.bool)}, ValueError, "instances is bool"),
        ({"instances": torch.zeros(257, 20).long()}, ValueError, r"\(257, 20\).* Cut a piece out: instances\[:96"),
        ({"instances": torch.full(SIZE, -1)}, ValueError, "numbers from -1 to -1; expected 0 to 65535"),
        ({"instances": torch.full(SIZE, 65536)}, ValueError, "numbers from 65536 to 65536"),
        ({"image": torch.rand(3, 20, 12)}, ValueError, r"size \(20, 12\); the instances have \(12, 20\)"),
        ({"w0": 31}, TraitError, "w0 is 31; expected 0 to 30"),
        ({"w0": float("nan")}, TraitError, "w0 is nan"),
        ({"sigma": 0}, TraitError, "sigma is 0; expected 0.5 to 20"),
    ],
)
def test_bad_arguments_get_an_error_that_says_what_to_do(instances, change, error, message):
    with pytest.raises(error, match=message):
        WeightMapExplorer(**{"instances": instances} | change)


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("sigma", 21, TraitError, "sigma is 21; expected 0.5 to 20"),
        ("w0", -1, TraitError, "w0 is -1"),
        ("row", 12, IndexError, "row is 12; expected 0 to 11"),
        ("col", -1, IndexError, "col is -1; expected 0 to 19"),
    ],
)
def test_a_bad_state_is_refused(explorer, name, value, error, message):
    before = explorer.describe()
    with pytest.raises(error, match=message):
        setattr(explorer, name, value)
    assert explorer.describe() == before
