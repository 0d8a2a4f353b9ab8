"""CamVid's layout with a few small pictures whose colours tell the classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.data.files import write_image

COUNTS = {"train": 8, "val": 3, "test": 3}
SIZE = (36, 48)


def make_camvid(root: Path) -> Path:
    """Sky (0) over road (3), a car (8) on it, and an unlabelled strip (11); a little noise."""
    for number, (split, count) in enumerate(COUNTS.items()):
        for i in range(count):
            draws = np.random.default_rng((number, i))
            mask = np.zeros(SIZE, np.uint8)
            mask[(horizon := draws.integers(10, 20)) :] = 3
            mask[horizon + 2 : horizon + 8, (left := draws.integers(2, 30)) : left + 12] = 8
            colours = np.zeros((12, 3))
            colours[[0, 3, 8]] = (90, 160, 220), (90, 90, 90), (200, 40, 40)
            image = colours[mask] + draws.integers(0, 30, (*SIZE, 3))
            mask[-2:] = 11
            write_image(root / split / f"{i}.png", image.astype(np.uint8))
            write_image(root / f"{split}annot" / f"{i}.png", mask)
    return root
