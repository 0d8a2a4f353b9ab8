"""Max-unpooling: what max-pooling kept goes back to where it came from, zeros go everywhere else.

Source: Zeiler & Fergus, *Visualizing and Understanding Convolutional Networks* (2014), section 2.1, who call the
indices switches; as a decoder: Noh et al. (2015), section 3.1.1, and Badrinarayanan, Kendall & Cipolla (2017), section
3.

Letters: N images, C channels, a map H×W, windows k×k that touch and do not overlap, h×w of them. An index is the place
of a window's maximum in the flattened map, row · W + column, as in PyTorch: each channel of each image counts for
itself.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.data.checks import describe


class Pooled(NamedTuple):
    """What unpooling needs of a max-pooled map."""

    values: Tensor  # (N, C, h, w)
    indices: Tensor  # (N, C, h, w) int64, in 0 … H·W − 1
    size: tuple[int, int]  # (H, W) before pooling: 5 rows and 6 rows are both pooled to 3


def max_pool(features: Tensor, kernel_size: int = 2) -> Pooled:
    """Max-pool by PyTorch and keep what `max_unpool` will ask for.

    Shapes: (N, C, H, W) → values and indices (N, C, h, w), h = ⌈H / k⌉ and likewise w. Windows that reach over the
    right or lower border are as small as what is left, so every pixel belongs to one ("ceil mode", Caffe's rule).

    >>> values, indices, size = max_pool(torch.tensor([[[[1.0, 7.0, 2.0], [3.0, 0.0, 5.0]]]]))
    >>> values.tolist(), indices.tolist(), size
    ([[[[7.0, 5.0]]]], [[[[1, 5]]]], (2, 3))
    """
    height, width = features.shape[-2:]
    values, indices = F.max_pool2d(features, kernel_size, ceil_mode=True, return_indices=True)
    return Pooled(values, indices, (height, width))


def max_pool_by_hand(features: Tensor, kernel_size: int = 2) -> Pooled:
    """What `max_pool` computes, in four steps: fill up the last windows, cut, take the maximum, say where it was.

    Of equal values the first one counts, row by row.

    >>> max_pool_by_hand(torch.tensor([[[[4.0, 4.0], [1.0, 4.0]]]])).indices
    tensor([[[[0]]]])
    """
    k = kernel_size
    height, width = features.shape[-2:]
    filled = F.pad(features, (0, -width % k, 0, -height % k), value=-torch.inf)  # (N, C, k·h, k·w)
    windows = filled.unfold(2, k, k).unfold(3, k, k).flatten(4)  # (N, C, h, w, k²)
    values, positions = windows.max(dim=4)  # (N, C, h, w): in the window, row by row
    return Pooled(values, indices_of_positions(positions, width, k), (height, width))


def max_unpool(values: Tensor, indices: Tensor, size: tuple[int, int], kernel_size: int = 2) -> Tensor:
    """Put each value at its index, in a map of zeros.

    Args:
        values: (N, C, h, w).
        indices: (N, C, h, w) int64, from the pooling of a map of `size`.
        size: (H, W) of the map that was pooled. It can't be told from h and w, nor can it be left out: an index is a
            place in a map *of this width*.
        kernel_size: k of the pooling.

    Returns:
        (N, C, H, W). Equal to `F.max_unpool2d(values, indices, k, output_size=size)`.

    Raises:
        TypeError: the indices are not int64. ValueError: shapes or `size` don't fit. RuntimeError: an index lies
            outside the map (from PyTorch's `scatter`).

    >>> max_unpool(torch.tensor([[[[7.0, 5.0]]]]), torch.tensor([[[[1, 5]]]]), size=(2, 3))
    tensor([[[[0., 7., 0.],
              [0., 0., 5.]]]])
    """
    _check(values, indices, size, kernel_size)
    height, width = size
    flat = values.new_zeros(*values.shape[:2], height * width)
    return flat.scatter(2, indices.flatten(2), values.flatten(2)).unflatten(2, (height, width))


def window_positions(indices: Tensor, width: int, kernel_size: int = 2) -> Tensor:
    """Where in its window each maximum was, row by row: 0 … k² − 1. For k = 2 that is two bits a window.

    Shapes: indices (…, h, w) of maps `width` pixels wide → positions (…, h, w) uint8.

    >>> window_positions(torch.tensor([[1, 5]]), width=3)
    tensor([[1, 2]], dtype=torch.uint8)
    """
    rows, columns = indices // width, indices % width
    return (rows % kernel_size * kernel_size + columns % kernel_size).to(torch.uint8)


def indices_of_positions(positions: Tensor, width: int, kernel_size: int = 2) -> Tensor:
    """The indices again: the way back from `window_positions`.

    Shapes: positions (…, h, w), whole numbers of any type → indices (…, h, w) int64 in maps `width` pixels wide.

    >>> indices_of_positions(torch.tensor([[1, 2]]), width=3)
    tensor([[1, 5]])
    """
    h, w = positions.shape[-2:]
    down, across = positions.long() // kernel_size, positions.long() % kernel_size
    rows = kernel_size * torch.arange(h, device=positions.device)[:, None] + down
    columns = kernel_size * torch.arange(w, device=positions.device) + across
    return rows * width + columns


def _check(values: Tensor, indices: Tensor, size: tuple[int, int], kernel_size: int) -> None:
    if values.ndim != 4 or indices.shape != values.shape:
        raise ValueError(
            f"values and indices: expected two tensors (N, C, h, w) of one shape, got {tuple(values.shape)} and "
            f"{tuple(indices.shape)}. Use the indices of the pooling that gave maps of this size and these channels."
        )
    if indices.dtype != torch.int64:
        raise TypeError(
            f"indices: expected int64, got {describe(indices)}. From positions in the window: indices_of_positions(…)."
        )
    pooled = tuple(values.shape[2:])
    if pooled not in (_windows(size, kernel_size, ceil=True), _windows(size, kernel_size, ceil=False)):
        raise ValueError(
            f"size: a map of {size[0]}×{size[1]} is pooled by {kernel_size}×{kernel_size} windows to "
            f"{'×'.join(map(str, _windows(size, kernel_size, ceil=True)))}, not to {pooled[0]}×{pooled[1]}. Give the "
            "(height, width) of the map before that pooling."
        )


def _windows(size: tuple[int, int], kernel_size: int, *, ceil: bool) -> tuple[int, ...]:
    return tuple((side + (kernel_size - 1 if ceil else 0)) // kernel_size for side in size)
