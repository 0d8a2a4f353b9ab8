"""Run-length encoding of binary masks, as the competition on buildings wants it.

The pixels are counted column by column, from the top left down, starting with 1. A mask is the list of its runs of
ones: the number of a run's first pixel, its length, the next run's first pixel, its length … A mask without a one is
the empty text.
"""

from __future__ import annotations

import numpy as np


def encode(mask: np.ndarray) -> str:
    """The run-length encoding of a mask (H, W) of zeros and ones (or False and True).

    >>> encode(np.array([[0, 1, 1],
    ...                  [1, 1, 0]]))  # column by column: 0 1, 1 1, 1 0
    '2 4'
    """
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise ValueError(f"mask: expected shape (H, W), got {mask.shape}. Encode one mask at a time.")
    if not np.isin(mask, (0, 1)).all():
        raise ValueError(
            f"mask: expected zeros and ones, got {np.unique(mask)[:8].tolist()}. Say which class is meant, as in "
            "encode(mask == 1)."
        )
    pixels = np.concatenate([[0], mask.T.ravel().astype(np.int8), [0]])
    starts = np.flatnonzero(np.diff(pixels) == 1)
    ends = np.flatnonzero(np.diff(pixels) == -1)
    return " ".join(f"{start + 1} {end - start}" for start, end in zip(starts, ends, strict=True))


def decode(runs: str, size: tuple[int, int]) -> np.ndarray:
    """The mask, uint8 (H, W) of zeros and ones, of a run-length encoding; size: (H, W).

    Raises ValueError for what is no list of runs, in order and apart, inside a mask of this size.

    >>> decode("2 4", (2, 3))
    array([[0, 1, 1],
           [1, 1, 0]], dtype=uint8)
    """
    height, width = size
    try:
        numbers = np.array(runs.split(), dtype=np.int64)
    except ValueError:
        raise ValueError(f"runs: expected whole numbers with spaces between, got {runs[:60]!r}.") from None
    if numbers.size % 2:
        raise ValueError(f"runs: expected pairs of start and length, got {numbers.size} numbers. The text is cut off.")
    starts, lengths = numbers[::2] - 1, numbers[1::2]
    ends = starts + lengths
    if (lengths < 1).any() or (starts < 0).any() or (starts[1:] < ends[:-1]).any():
        raise ValueError(
            "runs: expected starts from 1, lengths from 1 and runs in order that do not overlap, got "
            f"{runs[:60]!r}. Is it an encoding of another kind?"
        )
    if ends.size and ends[-1] > height * width:
        raise ValueError(
            f"runs: the last run ends at pixel {ends[-1]}, but {height} x {width} are {height * width} pixels. "
            "The encoding belongs to an image of another size."
        )
    pixels = np.zeros(height * width, dtype=np.uint8)
    for start, end in zip(starts, ends, strict=True):
        pixels[start:end] = 1
    return pixels.reshape(width, height).T
