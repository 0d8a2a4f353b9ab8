"""Whole-number random draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils.data.random_bits import Draws

KEYS = st.integers(0, 2**64 - 1)


def stream(seed, stream, count=40):
    draws = Draws(seed, stream)
    return [draws.below(2**32) for _ in range(count)]


@given(KEYS, KEYS)
def test_same_key_same_numbers_other_key_others(seed, number):
    assert stream(seed, number) == stream(seed, number)
    assert stream(seed, number) != stream(seed ^ 1, number)
    assert stream(seed, number) != stream(seed, number ^ 1)


def test_numbers_are_the_generators_own_words():
    """The upper half of each raw word, the last word of a batch of 512 first."""
    words = np.random.Philox(key=np.array([3, 5], dtype=np.uint64)).random_raw(1024)
    expected = [int(word) >> 32 for word in [*words[511::-1], *words[:511:-1]]]
    assert stream(3, 5, count=1024) == expected


@given(KEYS, st.integers(1, 2**32), st.integers(-(2**31), 2**31))
def test_draws_stay_in_range(seed, n, low):
    draws = Draws(seed, 0)
    for _ in range(20):
        assert 0 <= draws.below(n) < n
        assert low <= draws.between(low, low + n - 1) < low + n
    assert draws.below(1) == 0 and draws.between(low, low) == low


def test_draws_are_even():
    draws = Draws(0, 0)
    for counts in (
        np.bincount([draws.below(6) for _ in range(6000)]),
        np.bincount([draws.between(2, 7) - 2 for _ in range(6000)]),
        np.bincount([draws.pick(range(6)) for _ in range(6000)]),
    ):
        assert len(counts) == 6 and (abs(counts - 1000) < 150).all()
    assert abs(sum(draws.one_in(6) for _ in range(6000)) - 1000) < 150


@pytest.mark.parametrize("shape", [(0,), (1,), (7,), (3, 5), (2, 3, 4)])
def test_bytes(shape):
    words = np.random.Philox(key=np.array([1, 2], dtype=np.uint64)).random_raw(8)
    expected = b"".join(int(word).to_bytes(8, "little") for word in words)[: int(np.prod(shape))]
    found = Draws(1, 2).bytes(*shape)
    assert found.shape == shape and found.dtype == np.uint8 and found.tobytes() == expected
