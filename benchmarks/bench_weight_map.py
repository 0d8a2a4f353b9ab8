"""The U-Net's weight map of 100 cells, against a distance transform for each cell, as public code has it."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from skimage.segmentation import find_boundaries

from course_utils.weight_maps import unet_weight_map

SIZE = 512
CELLS = (2, 10, 100)
ROUNDS = 5
W0, SIGMA, CLASS_WEIGHTS = 10.0, 5.0, (1.0, 1.0)


def main() -> None:
    """Print the median time of each way and its ratio to ours in the same round, in CPU seconds."""
    print(f"Weight map of {SIZE} × {SIZE} pixels (median of {ROUNDS} interleaved rounds of CPU time)")
    print(f"  {'':10} {'ours':>10}  {'all distances, sorted':>22}  {'two smallest kept':>22}")
    for cells in CELLS:
        print(f"  {f'{cells} cells':10} {_row(cells)}")


def _row(cells: int) -> str:
    ids = _discs(cells)
    ways = [
        lambda: unet_weight_map(torch.from_numpy(ids), W0, SIGMA, CLASS_WEIGHTS).numpy(),
        lambda: _by_sorting(ids),
        lambda: _by_keeping_two(ids),
    ]
    ours, *others = (way() for way in ways)  # also to warm up
    assert all(np.allclose(ours, other, atol=1e-5) for other in others)
    rounds = [[_seconds(way) for way in ways] for _ in range(ROUNDS)]
    own, *theirs = ([times[index] for times in rounds] for index in range(len(ways)))
    cells = [f"{median(own) * 1e3:7.0f} ms"]
    for seconds in theirs:
        ratio = median(other / one for other, one in zip(seconds, own, strict=True))
        cells.append(f"{median(seconds) * 1e3:11.0f} ms {ratio:6.1f} ×")
    return "  ".join(cells)


def _discs(cells: int) -> np.ndarray:
    """Cells around random points, cut off where two of them meet; (SIZE, SIZE) int64."""
    points = np.random.default_rng(0).integers(0, SIZE, (cells, 2))
    elsewhere = np.ones((SIZE, SIZE), dtype=bool)
    elsewhere[tuple(points.T)] = False
    distance, (rows, cols) = distance_transform_edt(elsewhere, return_indices=True)
    number = np.zeros((SIZE, SIZE), dtype=np.int64)
    number[tuple(points.T)] = np.arange(1, cells + 1)
    return number[rows, cols] * (distance < 20)


def _by_sorting(ids: np.ndarray) -> np.ndarray:
    """The usual way: the distances to all cells, (H, W, cells), sorted."""
    borders = find_boundaries(ids, connectivity=1, mode="inner")
    numbers = np.unique(ids)[1:]
    distances = np.zeros((*ids.shape, len(numbers)))
    for index, number in enumerate(numbers):
        distances[:, :, index] = distance_transform_edt(~(borders & (ids == number)))
    distances = np.sort(distances, axis=2)
    return _formula(distances[:, :, 0], distances[:, :, 1])


def _by_keeping_two(ids: np.ndarray) -> np.ndarray:
    """The same without the sorting, and without memory for all distances."""
    borders = find_boundaries(ids, connectivity=1, mode="inner")
    d1 = d2 = np.full(ids.shape, np.inf)
    for number in np.unique(ids)[1:]:
        distance = distance_transform_edt(~(borders & (ids == number)))
        d2 = np.minimum(d2, np.maximum(d1, distance))
        d1 = np.minimum(d1, distance)
    return _formula(d1, d2)


def _formula(d1: np.ndarray, d2: np.ndarray) -> np.ndarray:
    return 1 + W0 * np.exp(-((d1 + d2) ** 2) / (2 * SIGMA**2))


def _seconds(way: Callable[[], object]) -> float:
    start = time.process_time()
    way()
    return time.process_time() - start


if __name__ == "__main__":
    main()
