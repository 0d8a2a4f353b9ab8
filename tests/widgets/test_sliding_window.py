"""The kernel's side of the sliding window explorer."""

from __future__ import annotations

import base64

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from traitlets import TraitError

from course_utils.widgets import SlidingWindowExplorer


def test_it_starts_at_the_best_window_of_the_first_class(sliding, scores):
    assert (sliding.stride, sliding.class_name) == (8, "cat")
    assert sliding.score == scores[8][0].max().item()
    assert sliding.score == scores[8][0, sliding.row, sliding.col].item()


def test_box_and_score_follow_position_class_and_stride(sliding, scores):
    sliding.row, sliding.col, sliding.class_name = 3, 6, "dog"
    assert sliding.box == (24, 48, 56, 80)
    assert sliding.score == scores[8][1, 3, 6].item()
    sliding.stride = 4
    assert (sliding.row, sliding.col) == (6, 12), "the window stays in its place"
    assert sliding.box == (24, 48, 56, 80)
    assert sliding.score == scores[4][1, 6, 12].item()


@given(st.integers(0, 8), st.integers(0, 16))
def test_going_to_a_coarser_stride_finds_the_nearest_window(row, col):
    fine = {8: torch.rand(1, 5, 9), 4: torch.rand(1, 9, 17)}
    explorer = SlidingWindowExplorer(torch.rand(3, 64, 96), fine, ["cat"], 32)
    explorer.stride = 4
    explorer.row, explorer.col = row, col
    explorer.stride = 8
    assert abs(explorer.row * 8 - row * 4) <= 4 and abs(explorer.col * 8 - col * 4) <= 4
    explorer.stride = 4
    assert (explorer.row, explorer.col) == (row, col), "and the way back is exact"


def test_scores_reach_the_browser_exactly(sliding, scores):
    for sent in sliding._scores:
        data = np.frombuffer(base64.b64decode(sent["data"]), "<f4").reshape(2, sent["rows"], sent["cols"])
        np.testing.assert_array_equal(data, scores[sent["stride"]].numpy())


def test_numpy_arrays_and_tensors_with_gradient_will_do(image, scores):
    picture = (image * 255).byte().permute(1, 2, 0).numpy()
    graded = {stride: values.clone().requires_grad_() for stride, values in scores.items()}
    explorer = SlidingWindowExplorer(picture, graded, ("cat", "dog"), 32)
    assert explorer.crop_scores is None and explorer._crops == ""
    np.testing.assert_array_equal(explorer.image, picture)


def test_only_shifts_that_exist_can_be_shown(sliding):
    sliding.stride = 4
    sliding.only_shift = [4, 0]
    sliding.stride = 8
    assert sliding.only_shift == [], "stride 8 has one pass"
    with pytest.raises(TraitError, match=r"only_shift is \[4, 0\]; expected one of \[\], \[0, 0\]"):
        sliding.only_shift = [4, 0]


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("row", 5, IndexError, "row is 5; expected 0 to 4"),
        ("row", -1, IndexError, "row is -1; expected 0 to 4"),
        ("col", 9, IndexError, "col is 9; expected 0 to 8"),
        ("stride", 16, TraitError, "stride is 16; expected one of 4, 8"),
        ("class_name", "cow", TraitError, "class_name is 'cow'; expected one of 'cat', 'dog'"),
    ],
)
def test_a_bad_state_is_refused(sliding, name, value, error, message):
    before = sliding.describe()
    with pytest.raises(error, match=message):
        setattr(sliding, name, value)
    assert sliding.describe() == before


def nan(tensor):
    return torch.full_like(tensor, torch.nan)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a | {"image": torch.rand(64, 96, 3)}, r"image is a tensor of shape \(64, 96, 3\); expected"),
        (lambda a: a | {"image": torch.rand(3, 64, 96) * 2}, r"expected \[0, 1\]"),
        (lambda a: a | {"class_names": ["cat"]}, r"scores\[8\] has shape \(2, 5, 9\); 1 class_names .* = \(1, 5, 9\)"),
        (lambda a: a | {"class_names": ["cat", "cat"]}, "different names"),
        (lambda a: a | {"class_names": []}, "at least one"),
        (lambda a: a | {"class_names": "cd"}, "class_names is 'cd'; expected a list"),
        (lambda a: a | {"scores": {}}, "not empty"),
        (lambda a: a | {"scores": a["scores"][8]}, "expected a dict"),
        (lambda a: a | {"scores": {8: a["scores"][8][0]}}, r"scores\[8\] has shape \(5, 9\)"),
        (lambda a: a | {"scores": {8: a["scores"][8].mT}}, r"scores\[8\] has shape \(2, 9, 5\)"),
        (lambda a: a | {"scores": {8: nan(a["scores"][8])}}, r"scores\[8\] holds 90 NaN or infinite values of 90"),
        (lambda a: a | {"scores": {8: a["scores"][8], 3: a["scores"][4]}}, r"strides \[8, 3\]; expected .* divide"),
        (lambda a: a | {"scores": {0: a["scores"][8]}}, r"strides \[0\]; expected positive integers"),
        (lambda a: a | {"window": 65}, "window is 65 and does not fit in the 64 × 96 image"),
        (lambda a: a | {"window": 0}, "window is 0"),
        (lambda a: a | {"crop_scores": torch.rand(2, 9, 17)}, r"crop_scores has shape \(2, 9, 17\); scores\[8\] has"),
        (lambda a: a | {"crop_scores": nan(a["scores"][8])}, "crop_scores holds 90 NaN"),
    ],
)  # fmt: skip
def test_bad_arguments_get_an_error_that_says_what_to_do(image, scores, change, message):
    arguments = {"image": image, "scores": scores, "class_names": ["cat", "dog"], "window": 32}
    with pytest.raises(ValueError, match=message):
        SlidingWindowExplorer(**change(arguments))
