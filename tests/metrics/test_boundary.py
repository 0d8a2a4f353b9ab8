"""Boundary F1: equal to a search over all pairs of pixels, blind to void, and strict about its input."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.metrics import ConfusionMatrix, boundary_f1

VOID = 255
SEEDS = st.integers(0, 2**32 - 1)
TOLERANCES = st.sampled_from([0, 0.5, 1, math.sqrt(2), 1.5, 2, math.sqrt(5), 3, 20])


def blobs(classes, size, rng, void=0.1):
    """(prediction, target) int64 (N, H, W): rectangles over one another, and void pixels in the target."""
    maps = np.zeros((2, *size), dtype=np.int64)
    for labels in maps.reshape(-1, *size[1:]):
        for class_ in rng.integers(classes, size=3):
            top, left = rng.integers(size[1]), rng.integers(size[2])
            labels[top : top + rng.integers(1, 5), left : left + rng.integers(1, 5)] = class_
    maps[1][rng.random(size) < void] = VOID
    return torch.from_numpy(maps)


def outline_points(labels, void, class_):
    height, width = labels.shape
    points = []
    for y in range(height):
        for x in range(width):
            beside = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
            beside = [(v, u) for v, u in beside if 0 <= v < height and 0 <= u < width]
            inside = labels[y, x] == class_ and not void[y, x]
            if inside and any(void[v, u] or labels[v, u] != class_ for v, u in beside):
                points.append((y, x))
    return points


def by_search(prediction, target, classes, tolerance):
    scores = []
    for class_ in range(classes):
        near = {"precision": [], "recall": []}
        for guess, truth in zip(prediction, target, strict=True):
            void = truth == VOID
            guessed, true = (outline_points(labels, void, class_) for labels in (guess, truth))
            for name, points, others in (("precision", guessed, true), ("recall", true, guessed)):
                near[name] += [any(math.dist(p, q) <= tolerance for q in others) for p in points]
        if not near["precision"] and not near["recall"]:
            scores.append(math.nan)
            continue
        precision, recall = (sum(hits) / max(len(hits), 1) for hits in near.values())
        scores.append(2 * precision * recall / (precision + recall) if precision + recall else 0.0)
    return scores


@settings(max_examples=60)
@given(st.integers(1, 4), st.tuples(st.integers(1, 2), st.integers(1, 7), st.integers(1, 9)), TOLERANCES, SEEDS)
def test_equals_a_search_over_all_pairs(classes, size, tolerance, seed):
    prediction, target = blobs(classes, size, np.random.default_rng(seed))
    ours = boundary_f1(prediction, target, classes, tolerance=tolerance)
    assert ours.dtype == torch.float64
    assert ours.tolist() == pytest.approx(by_search(prediction, target, classes, tolerance), nan_ok=True)


@settings(max_examples=40)
@given(SEEDS, TOLERANCES)
def test_void_pixels_are_not_looked_at(seed, tolerance):
    rng = np.random.default_rng(seed)
    prediction, target = blobs(3, (2, 7, 9), rng)
    changed = torch.where(target == VOID, torch.from_numpy(rng.integers(-5, 300, size=target.shape)), prediction)
    expected = boundary_f1(prediction, target, 3, tolerance=tolerance)
    assert torch.equal(boundary_f1(changed, target, 3, tolerance=tolerance).nan_to_num(-1), expected.nan_to_num(-1))
    perfect = boundary_f1(target, target, 3, tolerance=0)
    assert set(perfect.nan_to_num(1).tolist()) == {1}


@settings(max_examples=40)
@given(SEEDS, TOLERANCES)
def test_turning_both_maps_or_swapping_them_changes_nothing(seed, tolerance):
    prediction, target = blobs(3, (2, 7, 9), np.random.default_rng(seed), void=0)
    expected = boundary_f1(prediction, target, 3, tolerance=tolerance).tolist()
    turned = boundary_f1(prediction.transpose(1, 2), target.transpose(1, 2), 3, tolerance=tolerance)
    flipped = boundary_f1(prediction.flip(1), target.flip(1), 3, tolerance=tolerance)
    swapped = boundary_f1(target, prediction, 3, tolerance=tolerance)
    for other in (turned, flipped, swapped):
        assert other.tolist() == pytest.approx(expected, nan_ok=True)


@given(SEEDS)
def test_more_tolerance_never_gives_less(seed):
    prediction, target = blobs(3, (2, 7, 9), np.random.default_rng(seed))
    scores = [boundary_f1(prediction, target, 3, tolerance=t).nan_to_num(0) for t in (0, 1, 2, 4, 20)]
    assert all((a <= b).all() for a, b in zip(scores, scores[1:], strict=False))


def test_one_image_is_a_batch_of_one():
    prediction, target = blobs(3, (1, 7, 9), np.random.default_rng(5))
    alone, in_a_batch = boundary_f1(prediction[0], target[0], 3), boundary_f1(prediction, target, 3)
    torch.testing.assert_close(alone, in_a_batch, rtol=0, atol=0, equal_nan=True)


def test_a_map_without_an_edge_has_no_score():
    plain = torch.zeros(5, 8, dtype=torch.int64)
    assert boundary_f1(plain, plain, 2).isnan().all()  # the image's border is no outline
    edge = plain.clone()
    edge[:, 4:] = 1
    assert boundary_f1(plain, edge, 2).tolist() == [0, 0]


def test_it_sees_what_iou_does_not():
    """A thin pole one pixel aside has IoU 0 and a fitting outline; a large square with frayed edges the opposite."""
    pole = torch.zeros(24, 32, dtype=torch.int64)
    pole[:, 10] = 1
    aside = pole.roll(1, dims=1)
    assert ConfusionMatrix(2).update(aside, pole).iu()[1] == 0
    assert boundary_f1(aside, pole, 2, tolerance=1)[1] == 1
    square = torch.zeros(240, 320, dtype=torch.int64)
    square[20:220, 20:300] = 1
    frayed = square.clone()
    frayed[10:20, 20:300:4] = 1
    assert ConfusionMatrix(2).update(frayed, square).iu()[1] > 0.98
    assert boundary_f1(frayed, square, 2, tolerance=1)[1] < 0.8


ZEROS = torch.zeros(4, 5, dtype=torch.int64)


@pytest.mark.parametrize(
    ("prediction", "target", "options", "error", "message"),
    [
        (ZEROS.float(), ZEROS, {}, TypeError, "prediction: expected an int64"),
        (ZEROS[:3], ZEROS, {}, ValueError, "differ in shape"),
        (ZEROS[0], ZEROS[0], {}, ValueError, r"prediction has shape \(5,\); expected \(N, H, W\)"),
        (ZEROS + 2, ZEROS, {}, ValueError, "prediction: class numbers must be 0 to 1; got 2"),
        (ZEROS, ZEROS + 2, {}, ValueError, "target: class numbers must be 0 to 1, or 255 for void; got 2"),
        (ZEROS, ZEROS, {"tolerance": -1}, ValueError, "tolerance is -1"),
        (ZEROS, ZEROS, {"tolerance": math.nan}, ValueError, "tolerance is nan"),
    ],
)
def test_bad_input_is_refused(prediction, target, options, error, message):
    with pytest.raises(error, match=message):
        boundary_f1(prediction, target, 2, **options)
