"""Run-length encoding: the inverse of itself, and the same as counting pixel by pixel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from course_utils.data.rle import decode, encode

sizes = st.tuples(st.integers(1, 7), st.integers(1, 9))
masks = sizes.flatmap(lambda size: arrays.arrays(np.uint8, size, elements=st.integers(0, 1)))


def encoded_by_counting(mask):
    """Pixel by pixel down the columns, as the definition says."""
    height, width = mask.shape
    runs, length = [], 0
    for number in range(1, height * width + 2):
        column, row = divmod(number - 1, height)
        if column < width and mask[row, column]:
            length += 1
        elif length:
            runs += [number - length, length]
            length = 0
    return " ".join(map(str, runs))


@given(masks)
def test_encode_is_counting(mask):
    assert encode(mask) == encode(mask.astype(bool)) == encode(mask.astype(float)) == encoded_by_counting(mask)


@given(masks)
def test_decode_inverts_encode(mask):
    decoded = decode(encode(mask), mask.shape)
    assert decoded.dtype == np.uint8 and np.array_equal(decoded, mask)


@given(masks, st.data())
def test_runs_that_touch_decode_like_one(mask, data):
    """Some programs cut a run at the end of a column."""
    numbers = list(map(int, encode(mask).split()))
    cut = []
    for start, length in zip(numbers[::2], numbers[1::2], strict=True):
        first = data.draw(st.integers(1, length))
        cut += [start, first] + ([start + first, length - first] if first < length else [])
    assert np.array_equal(decode(" ".join(map(str, cut)), mask.shape), mask)


def test_a_mask_by_hand():
    mask = np.array([[0, 1, 1, 0], [0, 1, 0, 0], [1, 1, 0, 1]])
    assert encode(mask) == "3 5 12 1"
    assert np.array_equal(decode("3 5 12 1", (3, 4)), mask)


@pytest.mark.parametrize("empty", ["", " ", "\n"])
def test_empty_and_full(empty):
    assert encode(np.zeros((3, 4))) == "" and encode(np.ones((3, 4))) == "1 12"
    assert not decode(empty, (3, 4)).any() and decode("1 12", (3, 4)).all()


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ("1 2 3", "expected pairs of start and length, got 3 numbers"),
        ("1 x", "expected whole numbers with spaces between, got '1 x'"),
        ("1.0 2", "expected whole numbers"),
        ("0 2", "expected starts from 1"),
        ("-3 2", "expected starts from 1"),
        ("1 0", "lengths from 1"),
        ("1 -1", "lengths from 1"),
        ("5 2 1 2", "runs in order that do not overlap, got '5 2 1 2'"),
        ("1 3 3 2", "runs in order that do not overlap"),
        ("11 3", "the last run ends at pixel 13, but 3 x 4 are 12 pixels"),
        ("13 1", "the last run ends at pixel 13"),
    ],
)
def test_what_is_no_encoding(runs, words):
    with pytest.raises(ValueError, match=words):
        decode(runs, (3, 4))


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.array([[0, 255]]), r"expected zeros and ones, got \[0, 255\].*encode\(mask == 1\)"),
        (np.array([[0.5]]), "expected zeros and ones"),
        (np.array([[np.nan]]), "expected zeros and ones"),
        (np.zeros((1, 3, 4)), r"expected shape \(H, W\), got \(1, 3, 4\)"),
        (np.zeros(5), r"expected shape \(H, W\), got \(5,\)"),
    ],
)
def test_what_is_no_mask(mask, words):
    with pytest.raises(ValueError, match=words):
        encode(mask)
