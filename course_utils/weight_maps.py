"""The U-Net's weight map: pixels between cells that nearly touch count most."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations, count, islice
from typing import NamedTuple

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from course_utils.data.checks import describe

_LONGEST_SIDE = 2**15 - 1  # squares of longer distances don't fit into 32 bits
_NEGLIGIBLE = math.sqrt(-2 * math.log(1e-12))  # 7.4: where d1 + d2 is so many sigma, the border term is 1e-12 w0
_MOST_PAIRS = 2**22


def unet_weight_map(
    instances: Tensor,
    w0: float = 10.0,
    sigma: float = 5.0,
    class_weights: Sequence[float] | None = None,
) -> Tensor:
    """w(x) = w_c(x) + w0 · exp(−(d1(x) + d2(x))² / (2 sigma²)), (H, W) float32.

    d1 and d2 are the distances, in pixels, to the border of the nearest and of the second nearest cell: see
    `nearest_cells`. They are taken at every pixel, within cells too. With fewer than two cells there is no d2, and
    w = w_c. A border term below 1e-12 w0 may be left out.

    w_c balances the classes: w_c = N / (2 N_c) for N pixels, N_c of them of class c, background or cell. So both
    classes weigh as much, and w_c is 1 on average. Where there is only one class, w_c = 1.

    Source: Ronneberger, Fischer & Brox, *U-Net* (2015), equation 2. Their w_c balances the class frequencies too; they
    don't say by which formula. w0 = 10 and sigma ≈ 5 pixels are theirs.

    Args:
        instances: (H, W) integers, 0 for background and a number of its own for each cell, in any order. A cell may
            have several pieces. If the mask that the network learns parts touching cells by a line of background, give
            `instances * mask`: then the line has the weight of background.
        w0: how much the border term weighs where d1 + d2 = 0.
        sigma: its width in pixels.
        class_weights: (weight of background, weight of cells) in place of the balanced ones; (1, 1) for none.

    Raises TypeError unless instances is an integer tensor; ValueError for another shape, negative numbers, a negative
    w0, a sigma that is not positive, or class_weights that are not two numbers, 0 or more.

    >>> row = torch.tensor([[1, 1, 0, 2, 2]])
    >>> unet_weight_map(row, class_weights=(1, 1))[0, 2].item()  # d1 = d2 = 1: 1 + 10 exp(-4/50)
    10.231...
    """
    if not w0 >= 0:
        raise ValueError(f"w0 is {w0}; expected 0 or more.")
    if not sigma > 0:
        raise ValueError(f"sigma is {sigma}; expected a number of pixels, more than 0.")
    near = nearest_cells(instances, within=sigma * _NEGLIGIBLE)
    border = w0 * np.exp(-((near.d1 + near.d2) ** 2) / (2 * sigma**2))
    is_cell = (instances > 0).long().cpu()
    weights = _balanced(is_cell) if class_weights is None else _checked_weights(class_weights)
    return (weights[is_cell] + torch.from_numpy(border)).float().to(instances.device)


class NearestCells(NamedTuple):
    """For each pixel the two cells whose borders are nearest; (H, W) each."""

    d1: np.ndarray  # float64, pixels to the border of the nearest cell; infinite if there is none
    d2: np.ndarray  # … and of the second nearest
    site1: np.ndarray  # int32, row * W + column of the border pixel that is so near; -1 if there is none
    site2: np.ndarray


def nearest_cells(instances: Tensor, within: float = math.inf) -> NearestCells:
    """Exact distances to the borders of the nearest and the second nearest cell, for any number of cells.

    A pixel is on the border of its cell if one of its four neighbours in the image is not of that cell. Distances are
    Euclidean, between centres of pixels: 0 on a border, 1 beside it. Within a cell d1 is the distance to its own
    border. With fewer than two cells there is nothing to be between: all is infinite.

    How: one distance transform finds the nearest border pixel, and so the nearest cell. Another one for each cell would
    find the second. Far fewer will do. Divide t groups among the cells so that each cell is in t/2 groups (rounded
    down), no two in the same ones: then of any two cells, the second is in a group without the first. So the second
    nearest cell is the nearest one of some group that the nearest cell is not in. t groups serve as many cells as there
    are ways to choose t/2 of t: 9 groups serve 126 cells, 13 serve 1716.

    within: d2 need only be right where d1 + d2 is at most so many pixels; elsewhere it may be too large. Cells that are
    farther apart than that may then be in the same groups, which saves most of them: 4 groups serve 6 colours of cells.

    Args, Raises: as `unet_weight_map`.

    >>> nearest_cells(torch.tensor([[1, 1, 0, 0, 2]])).d2
    array([[4., 3., 2., 2., 3.]])
    """
    ids = _checked_instances(instances)
    sites = np.flatnonzero(_borders(ids))
    names, cell = np.unique(ids.reshape(-1)[sites], return_inverse=True)
    if len(names) < 2:
        nowhere, nothing = np.full(ids.shape, np.inf), np.full(ids.shape, -1, dtype=np.int32)
        return NearestCells(nowhere, nowhere.copy(), nothing, nothing.copy())

    site1, square1 = _nearest_site(sites, ids.shape)
    cell_at = np.zeros(ids.size, dtype=np.intp)
    cell_at[sites] = cell
    cell1 = cell_at[site1]
    site2, square2 = np.full_like(site1, -1), np.full_like(square1, np.iinfo(square1.dtype).max)
    color = _colors(sites, cell, len(names), ids.shape[1], within)
    for group in _groups(color.max() + 1)[:, color]:
        site, square = _nearest_site(sites[group[cell]], ids.shape)
        nearer = ~group[cell1] & (square < square2)
        np.copyto(site2, site, where=nearer)
        np.copyto(square2, square, where=nearer)
    d2 = np.where(site2 < 0, np.inf, np.sqrt(square2))
    return NearestCells(np.sqrt(square1), d2, site1, site2)


def _borders(ids: np.ndarray) -> np.ndarray:
    """Pixels of a cell that have another number beside them, (H, W) bool; the image's edge is no border."""
    border = np.zeros(ids.shape, dtype=bool)
    for one, other in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        differs = ids[one] != ids[other]
        border[one] |= differs
        border[other] |= differs
    return border & (ids > 0)


def _nearest_site(sites: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The nearest of the sites (flat indices) for each pixel, and the square of its distance: whole numbers, exact."""
    elsewhere = np.ones(shape, dtype=bool)
    elsewhere.reshape(-1)[sites] = False
    rows, cols = distance_transform_edt(elsewhere, return_distances=False, return_indices=True)  # int32
    down, right = rows - np.arange(shape[0], dtype=np.int32)[:, None], cols - np.arange(shape[1], dtype=np.int32)
    return rows * np.int32(shape[1]) + cols, down * down + right * right


def _colors(sites: np.ndarray, cell: np.ndarray, cells: int, width: int, within: float) -> np.ndarray:
    """A colour for each cell, (cells,): different ones for cells whose bounding boxes are at most `within` apart."""
    if math.isinf(within) or cells**2 > _MOST_PAIRS:
        return np.arange(cells)
    square = np.zeros((cells, cells), dtype=np.int64)
    for at in np.divmod(sites, width):
        first, last = np.full(cells, _LONGEST_SIDE), np.zeros(cells, dtype=np.int64)
        np.minimum.at(first, cell, at)
        np.maximum.at(last, cell, at)
        gap = np.maximum(first[:, None] - last, 0)  # from the end of one to the beginning of the other
        square += np.maximum(gap, gap.T) ** 2
    near = square <= within**2
    color = np.full(cells, -1)
    for this in np.argsort(-near.sum(0), kind="stable"):  # those with most neighbours first
        taken = set(color[near[this]].tolist())
        color[this] = next(free for free in count() if free not in taken)
    return color


def _groups(cells: int) -> np.ndarray:
    """Which cells are in which group, (groups, cells) bool: of any two cells each is in a group without the other.

    One cell alone is in no group: nothing is to be told apart.

    >>> _groups(3).astype(int)
    array([[1, 0, 0],
           [0, 1, 0],
           [0, 0, 1]])
    """
    groups = next(t for t in count() if math.comb(t, t // 2) >= cells)
    member = np.zeros((groups, cells), dtype=bool)
    for cell, chosen in enumerate(islice(combinations(range(groups), groups // 2), cells)):
        member[list(chosen), cell] = True
    return member


def _balanced(is_cell: Tensor) -> Tensor:
    """Weights that make both classes weigh as much, (2,) float64."""
    pixels = torch.bincount(is_cell.flatten(), minlength=2).double()
    if (pixels == 0).any():
        return torch.ones(2, dtype=torch.float64)
    return pixels.sum() / (2 * pixels)


def _checked_weights(class_weights: Sequence[float]) -> Tensor:
    weights = torch.as_tensor(class_weights, dtype=torch.float64)
    if weights.shape != (2,) or not (weights >= 0).all():
        raise ValueError(f"class_weights is {class_weights!r}; expected two numbers, 0 or more: background, cells.")
    return weights


def _checked_instances(instances: Tensor) -> np.ndarray:
    expected = "instances: expected an integer tensor of shape (H, W), 0 for background, a number for each cell"
    if not isinstance(instances, Tensor) or instances.is_floating_point() or instances.dtype == torch.bool:
        raise TypeError(f"{expected}, got {describe(instances)}. Number a mask's pieces with scipy.ndimage.label.")
    if instances.ndim != 2 or instances.numel() == 0:
        raise ValueError(f"{expected}, got {describe(instances)}. Give one picture at a time.")
    if max(instances.shape) > _LONGEST_SIDE:
        raise ValueError(f"{expected}, at most {_LONGEST_SIDE} on a side, got {describe(instances)}. Cut it in tiles.")
    ids = instances.detach().cpu().numpy()
    if ids.min() < 0:
        raise ValueError(f"{expected}, got {ids.min()}. Set what belongs to no cell to 0.")
    return ids
