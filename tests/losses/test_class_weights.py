"""Class weights: counted as their papers say, finite for absent classes, strict about what they count."""

import math
from fractions import Fraction
from statistics import median

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_utils.data import load_dataset
from course_utils.losses import count_pixels, cross_entropy, enet_class_weights, median_frequency_weights

VOID = 255
COUNTS = st.lists(st.integers(0, 10**9), min_size=1, max_size=8).filter(any)


def test_counts_leave_void_out_and_know_where_a_class_is_present():
    first = torch.tensor([[0, 0, 1], [VOID, VOID, 1]])
    second = torch.tensor([[0, 0, 0, 2]])
    third = torch.tensor([[VOID]])
    counts = count_pixels([(None, mask) for mask in (first, second, third)], num_classes=4)
    assert counts.pixels.tolist() == [5, 2, 1, 0]
    assert counts.pixels_where_present.tolist() == [8, 4, 4, 0]


def test_counts_of_a_data_set():
    scenes = load_dataset("street_scenes", "train", length=4, size=(32, 48))
    counts = count_pixels(scenes, len(scenes.classes))
    masks = torch.stack([mask for _, mask in scenes])
    assert counts.pixels.tolist() == [(masks == number).sum().item() for number in range(8)]
    assert (counts.pixels_where_present >= counts.pixels).all()
    with_depth = load_dataset("street_scenes", "train", length=4, size=(32, 48), depth=True)
    assert count_pixels(with_depth, 8).pixels.tolist() == counts.pixels.tolist()


@given(COUNTS)
def test_median_frequency_by_hand(counts):
    total = sum(counts)
    frequencies = [Fraction(count, total) for count in counts]
    middle = median(frequency for frequency in frequencies if frequency)
    expected = [float(middle / frequency) if frequency else 0 for frequency in frequencies]
    assert median_frequency_weights(torch.tensor(counts)).tolist() == pytest.approx(expected, rel=1e-6)


def test_median_frequency_counts_a_class_where_it_is_present():
    # class 1 fills half of the one image (of two) in which it is: frequency 1/2, not 1/4
    counts = torch.tensor([150, 50]), torch.tensor([200, 100])
    assert median_frequency_weights(*counts).tolist() == pytest.approx([0.625 / 0.75, 0.625 / 0.5])


@given(COUNTS, st.floats(1.01, 3))
def test_enet_weights_by_hand(counts, c):
    expected = [1 / math.log(c + count / sum(counts)) for count in counts]
    assert enet_class_weights(torch.tensor(counts), c=c).tolist() == pytest.approx(expected, rel=1e-5)


@given(COUNTS)
def test_rarer_never_weighs_less_and_all_is_finite(counts):
    pixels = torch.tensor(counts)
    for weights in (enet_class_weights(pixels), median_frequency_weights(pixels)):
        assert weights.dtype == torch.float32 and weights.isfinite().all() and (weights >= 0).all()
        present = pixels > 0
        by_count = weights[present][pixels[present].argsort()]
        assert (by_count.diff() <= 1e-6 * by_count[:-1]).all()


def test_they_fit_the_loss():
    weight = median_frequency_weights(torch.tensor([600, 300, 100]))
    logits, target = torch.randn(2, 3, 4, 5), torch.randint(3, (2, 4, 5))
    expected = torch.nn.functional.cross_entropy(logits, target, weight)
    torch.testing.assert_close(cross_entropy(logits, target, weight=weight), expected)


GOOD, MASK = torch.tensor([1, 2]), torch.zeros(2, 3, dtype=torch.int64)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: count_pixels([(None, MASK), (None, MASK + 2)], 2), ValueError, "mask of item 1: .* 0 to 1.*got 2"),
        (lambda: count_pixels([(None, MASK.float())], 2), TypeError, "mask of item 0: expected an int64"),
        (lambda: median_frequency_weights(MASK), ValueError, r"pixels has shape \(2, 3\); expected \(K,\)"),
        (lambda: median_frequency_weights(-GOOD), ValueError, "pixels is .*counts are 0 or more"),
        (lambda: median_frequency_weights(0 * GOOD), ValueError, "pixels is all 0: no pixel has a class"),
        (lambda: median_frequency_weights(GOOD, GOOD - 1), ValueError, "pixels_where_present .*none of them smaller"),
        (lambda: median_frequency_weights(GOOD, GOOD[:1]), ValueError, "pixels_where_present is .*as many"),
        (lambda: enet_class_weights(0 * GOOD), ValueError, "pixels is all 0"),
        (lambda: enet_class_weights(GOOD, c=1), ValueError, "c is 1; expected more than 1"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
