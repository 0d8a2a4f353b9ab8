"""Small image files in the layouts of the real data sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (4, 6)  # height, width


def write_image(path: Path, pixels: np.ndarray, **options: object) -> np.ndarray:
    """Write uint8 pixels, (H, W) grey or (H, W, 3) colours, to a file in a folder that need not exist."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return pixels


def colours(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A colour image of noise, uint8 (H, W, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def greys(seed: int, values: list[int], size: tuple[int, int] = SIZE) -> np.ndarray:
    """A grey image, uint8 (H, W), in which each of the values stands somewhere."""
    assert len(values) <= size[0] * size[1]
    pixels = np.resize(np.array(values, dtype=np.uint8), size)
    return np.random.default_rng(seed).permutation(pixels.ravel()).reshape(size)
