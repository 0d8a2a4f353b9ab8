"""Weights that make rare classes count: for `cross_entropy(logits, target, weight=…)`.

    weight = median_frequency_weights(*count_pixels(train, num_classes))
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from course_utils.metrics.checks import check_classes, check_int64


class PixelCounts(NamedTuple):
    """Pixels of a data set, void left out; (K,) int64 each."""

    pixels: Tensor  # of each class
    pixels_where_present: Tensor  # of all classes, in the images in which the class occurs


def count_pixels(dataset: Iterable[Sequence[Tensor]], num_classes: int, *, ignore_index: int = 255) -> PixelCounts:
    """Count the pixels of each class over all masks of a data set of (image, mask, …).

    Raises TypeError or ValueError, with the number of the item, for a mask that is not int64 or holds another class.

    >>> masks = torch.tensor([[0, 0, 1], [0, 0, 255]])
    >>> count_pixels([(None, mask) for mask in masks], num_classes=2)
    PixelCounts(pixels=tensor([4, 1]), pixels_where_present=tensor([5, 3]))
    """
    pixels = torch.zeros(num_classes, dtype=torch.int64)
    where_present = torch.zeros(num_classes, dtype=torch.int64)
    for index, (_, mask, *_) in enumerate(dataset):
        name = f"mask of item {index}"
        check_int64(name, mask)
        void = mask == ignore_index
        check_classes(name, mask, num_classes, void, ignore_index)
        counts = torch.bincount(mask[~void], minlength=num_classes).cpu()
        pixels += counts
        where_present += counts.sum() * (counts > 0)
    return PixelCounts(pixels, where_present)


def median_frequency_weights(pixels: Tensor, pixels_where_present: Tensor | None = None) -> Tensor:
    """Median frequency balancing: the median of the classes' frequencies over the frequency of each; (K,) float32.

    The frequency of a class is its pixels, divided by all pixels of the images in which it occurs. So the class in the
    middle gets 1, rarer ones more, commoner ones less. A class without pixels gets 0 and has no part in the median.

    Source: Eigen & Fergus, *Predicting Depth, Surface Normals and Semantic Labels* (2015); used by SegNet
    and RedNet. Without pixels_where_present, every class is taken to occur in every image.

    Args:
        pixels: (K,) counts, of each class.
        pixels_where_present: (K,) counts, of all classes in the images in which the class occurs; see `count_pixels`.

    Raises ValueError for counts of another shape, that are negative or all 0, or that contradict one another.

    >>> median_frequency_weights(torch.tensor([600, 300, 100]))
    tensor([0.5000, 1.0000, 3.0000])
    """
    _check_counts("pixels", pixels)
    if pixels_where_present is None:
        pixels_where_present = pixels.sum().expand(len(pixels))
    elif pixels_where_present.shape != pixels.shape or (pixels_where_present < pixels).any():
        raise ValueError(
            f"pixels_where_present is {pixels_where_present.tolist()} for pixels {pixels.tolist()}; expected as many "
            "numbers, none of them smaller. count_pixels gives both."
        )
    occurs = pixels > 0
    frequency = pixels.double() / pixels_where_present.clamp(min=1)
    median = frequency[occurs].quantile(0.5)  # the mean of the middle two, if their number is even
    return torch.where(occurs, median / frequency, 0).float()


def enet_class_weights(pixels: Tensor, *, c: float = 1.02) -> Tensor:
    """ENet's weights: 1 / ln(c + share of the class among all pixels); (K,) float32.

    With c = 1.02 they lie between 1/ln 2.02 = 1.4 and 1/ln 1.02 = 50.5, however rare a class is.

    Source: Paszke et al., *ENet* (2016), section 5.2.

    Args:
        pixels: (K,) counts, of each class; see `count_pixels`.
        c: greater than 1; the nearer to 1, the more a rare class weighs.

    Raises ValueError for counts of another shape, that are negative or all 0, or if c is 1 or less.

    >>> enet_class_weights(torch.tensor([600, 300, 100, 0]))
    tensor([ 2.0729,  3.6019,  8.8239, 50.4983])
    """
    _check_counts("pixels", pixels)
    if not c > 1:
        raise ValueError(f"c is {c}; expected more than 1, or a class without pixels would weigh infinitely much.")
    return (1 / torch.log(c + pixels.double() / pixels.sum())).float()


def _check_counts(name: str, counts: Tensor) -> None:
    if counts.ndim != 1:
        raise ValueError(f"{name} has shape {tuple(counts.shape)}; expected (K,), one count for each class.")
    if (counts < 0).any():
        raise ValueError(f"{name} is {counts.tolist()}; counts are 0 or more.")
    if not counts.any():
        raise ValueError(f"{name} is all 0: no pixel has a class. Are all masks void, or is ignore_index wrong?")
