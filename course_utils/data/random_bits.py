"""Random draws in whole numbers: the same on every machine, in every NumPy version.

NumPy promises that the raw words of a bit generator never change, but not that `Generator.integers` or
`Generator.normal` keep turning them into the same numbers. So only raw words are used here, and only integer
arithmetic follows.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")
_WORDS = 512  # words fetched at a time


class Draws:
    """A stream of random whole numbers, fixed by `seed` and `stream` (both from 0 to 2**64 - 1).

    >>> draws = Draws(seed=0, stream=7)
    >>> [draws.below(10) for _ in range(8)]
    [1, 7, 5, 9, 9, 4, 2, 0]
    """

    def __init__(self, seed: int, stream: int):
        self._bits = np.random.Philox(key=np.array([seed, stream], dtype=np.uint64))
        self._words: list[int] = []

    def _fetch(self) -> list[int]:
        self._words = (self._bits.random_raw(_WORDS) >> np.uint64(32)).tolist()
        return self._words

    def below(self, n: int) -> int:
        """A whole number from 0 to n - 1, each equally likely (to one part in 2**32 / n)."""
        words = self._words or self._fetch()
        return words.pop() * n >> 32

    def between(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        words = self._words or self._fetch()
        return low + (words.pop() * (high - low + 1) >> 32)

    def one_in(self, n: int) -> bool:
        """True once in n times on average."""
        return self.below(n) == 0

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices."""
        return choices[self.below(len(choices))]

    def bytes(self, *shape: int) -> np.ndarray:
        """An array of random bytes (uint8) of this shape."""
        count = int(np.prod(shape))
        words = self._bits.random_raw(-(-count // 8))
        return words.astype("<u8", copy=False).view(np.uint8)[:count].reshape(shape)
