"""Smooth random hills in whole numbers: clouds and leaves in streets, granules and uneven light under microscopes.

A tile is computed once for a picture size; each picture then takes its own window of it.
"""

from functools import lru_cache

import numpy as np

from course_utils.data.random_bits import Draws


@lru_cache(maxsize=16)
def noise_tile(height: int, width: int, cell: int, octaves: int, stretch: int) -> np.ndarray:
    """Smooth random hills, (2 * height, 2 * width) uint8, the same for every scene of a size.

    cell: the height of the largest hills in pixels; stretch: how many times wider than high they are. Each octave
    adds hills half as large and half as strong.
    """
    draws = Draws(seed=0, stream=2**63)
    total = np.zeros((2 * height, 2 * width), dtype=np.int64)
    for octave in range(octaves):
        size = max(cell >> octave, 1)
        rows, row_part = _grid(2 * height, size)
        columns, column_part = _grid(2 * width, stretch * size)
        hills = draws.bytes(rows[-1] + 2, columns[-1] + 2).astype(np.int64)
        across = hills[:, columns] * (256 - column_part) + hills[:, columns + 1] * column_part
        both = across[rows] * (256 - row_part[:, None]) + across[rows + 1] * row_part[:, None]
        total += both >> (octave + 16)
    low, high = int(total.min()), int(total.max())
    return ((total - low) * 255 // max(high - low, 1)).astype(np.uint8)


def crop(tile: np.ndarray, patch: tuple[int, int], height: int, width: int) -> np.ndarray:
    """A (height, width) window of a tile of twice that size; patch: its corner, in 1/4096."""
    top, left = patch[0] * height >> 12, patch[1] * width >> 12
    return tile[top : top + height, left : left + width]


def _grid(length: int, cell: int) -> tuple[np.ndarray, np.ndarray]:
    """Cell and place within the cell (in 1/256) of each pixel along one axis."""
    at = np.arange(length)
    return at // cell, at % cell * 256 // cell
