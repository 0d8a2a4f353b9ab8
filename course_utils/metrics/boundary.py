"""Boundary F1: how well the outlines fit, whatever the size of what they enclose."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from course_utils.metrics.checks import check_classes, check_label_maps


def boundary_f1(
    prediction: Tensor, target: Tensor, num_classes: int, *, tolerance: float = 2.0, ignore_index: int = 255
) -> Tensor:
    """F1 of the outlines of each class, (K,) float64; nan for a class that has an outline in neither map.

    Precision is the share of predicted outline pixels that lie within `tolerance` pixels (Euclidean) of a true one;
    recall is the share of true outline pixels that lie as near to a predicted one; F1 = 2PR / (P + R). An outline pixel
    of a class is a pixel of that class with a neighbour (above, below, left, right) that is not.

    Source: Csurka, Larlus & Perronnin, *What is a good evaluation measure for semantic segmentation?* (BMVC 2013).
    Differs from it: they average the scores of single images, here all images' outline pixels are counted together;
    they ask for a distance below the tolerance, here one equal to it will do. They set it to 0.75 % of the image's
    diagonal, 1.2 pixels for 96 × 128.

    Void pixels belong to no outline, and what is predicted there does not matter: they are cut out of both maps, which
    leaves the same edge in both. The image's border is no outline.

    Args:
        prediction, target: int64, (N, H, W) or (H, W), on any device.
        num_classes: K.
        tolerance: in pixels, 0 or more.
        ignore_index: the label of void in the target.

    Raises TypeError unless both are int64 tensors; ValueError for other shapes, class numbers or a negative tolerance.

    >>> pole = torch.zeros(6, 9, dtype=torch.int64)
    >>> pole[:, 4] = 1
    >>> beside = pole.roll(1, dims=1)
    >>> boundary_f1(beside, pole, 2, tolerance=0)[1].item(), boundary_f1(beside, pole, 2, tolerance=1)[1].item()
    (0.0, 1.0)
    """
    check_label_maps(prediction, target)
    if prediction.ndim not in (2, 3):
        raise ValueError(f"prediction has shape {tuple(prediction.shape)}; expected (N, H, W) or (H, W).")
    if prediction.ndim == 2:
        prediction, target = prediction[None], target[None]
    if not tolerance >= 0:
        raise ValueError(f"tolerance is {tolerance}; expected a number of pixels, 0 or more.")
    void = target == ignore_index
    check_classes("prediction", prediction, num_classes, void)
    check_classes("target", target, num_classes, void, ignore_index)

    found, predicted, met, true = np.zeros((4, num_classes), dtype=np.int64)
    for class_, predicted_outline, true_outline in _outlines(prediction, target, void):
        predicted[class_] += predicted_outline.sum()
        true[class_] += true_outline.sum()
        found[class_] += _count_near(predicted_outline, true_outline, tolerance)
        met[class_] += _count_near(true_outline, predicted_outline, tolerance)
    precision = found / np.maximum(predicted, 1)
    recall = met / np.maximum(true, 1)
    f1 = 2 * precision * recall / np.where(precision + recall > 0, precision + recall, 1)
    return torch.from_numpy(np.where(predicted + true > 0, f1, np.nan))


def outline(region: np.ndarray) -> np.ndarray:
    """Pixels of `region`, (H, W) bool, that have one of their four neighbours outside of it; (H, W) bool."""
    padded = np.pad(region, 1, mode="edge")  # beyond the border the region goes on as it was
    surrounded = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return region & ~surrounded


def _outlines(prediction: Tensor, target: Tensor, void: Tensor) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """(class, its predicted outline, its true outline) for each image and each class that is in either map."""
    cut_out = -1  # no class
    maps = [labels.masked_fill(void, cut_out).cpu().numpy() for labels in (prediction, target)]  # (N, H, W) each
    for predicted, true in zip(*maps, strict=True):
        for class_ in np.union1d(predicted, true):
            if class_ != cut_out:
                yield int(class_), outline(predicted == class_), outline(true == class_)


def _count_near(points: np.ndarray, others: np.ndarray, tolerance: float) -> int:
    """How many of `points` lie within `tolerance` pixels of one of the `others`; both (H, W) bool."""
    if not others.any():
        return 0
    distance = distance_transform_edt(~others)  # to the nearest of the others
    return int((distance[points] <= tolerance).sum())
