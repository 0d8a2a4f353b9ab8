"""Losses that judge each pixel on its own: cross-entropy and its relatives.

Letters: N images, K classes, H × W pixels; p is the probability (softmax) that the network gives the true class of a
pixel. Every loss here is an average of -log p, each in its own way.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.data.checks import describe
from course_utils.losses.checks import checked


def cross_entropy(
    logits: Tensor, target: Tensor, *, weight: Tensor | None = None, ignore_index: int = 255
) -> Tensor:
    """Cross-entropy: the mean of -log p over the valid pixels. The negative log-likelihood (NLL) of the log-softmax.

    Args:
        logits: (N, K, H, W).
        target: (N, H, W) int64, 0…K-1 or ignore_index.
        weight: (K,), how much a pixel of each class counts. The mean is then the weighted one, divided by the sum of
            the valid pixels' weights, as in PyTorch's loss of this name.

    Equal to `F.cross_entropy`, but for a batch without a valid pixel, or with weights that sum to 0: that gives 0 here
    and nan there. Raises TypeError or ValueError as `losses.checks.checked` says, and if weight is not (K,).

    >>> logits = torch.tensor([2.0, 0.0]).view(1, 2, 1, 1)
    >>> cross_entropy(logits, torch.tensor([[[0]]])).item()  # -log(e² / (e² + 1))
    0.1269...
    """
    logits, valid = checked(logits, target, ignore_index)
    log_p = logits.log_softmax(1)  # (N, K, H, W)
    if weight is None:
        return F.nll_loss(log_p, target, reduction="sum", ignore_index=ignore_index) / valid.sum().clamp(min=1)
    weight = _checked_weight(weight, logits)
    total = F.nll_loss(log_p, target, weight, reduction="sum", ignore_index=ignore_index)
    return total / weight[target[valid]].sum().clamp(min=torch.finfo(weight.dtype).tiny)


def weighted_cross_entropy(
    logits: Tensor, target: Tensor, pixel_weights: Tensor, *, ignore_index: int = 255
) -> Tensor:
    """Cross-entropy with a weight for each pixel: the mean of w · (-log p) over the valid pixels.

    Source: Ronneberger, Fischer & Brox, *U-Net* (2015), equation 1. Differs from it: there it is a sum. A mean does not
    change with the size of the image. It is not divided by the sum of the weights: one image's heavy pixels must not
    make another image's pixels lighter. With all weights 1 it is `cross_entropy`.

    Args:
        logits: (N, K, H, W).
        target: (N, H, W) int64, 0…K-1 or ignore_index.
        pixel_weights: (N, H, W) float, 0 or more; not read at void pixels.

    Raises TypeError or ValueError as `losses.checks.checked` says, and for weights of another shape, type or sign.

    >>> logits, target = torch.zeros(1, 2, 1, 3), torch.tensor([[[0, 1, 255]]])
    >>> weighted_cross_entropy(logits, target, torch.tensor([[[1.0, 3.0, 9.0]]])).item() / math.log(2)
    2.0...
    """
    losses, valid = _pixel_losses(logits, target, ignore_index)
    weights = _checked_pixel_weights(pixel_weights, target).to(losses)
    if not (weights[valid] >= 0).all():
        raise ValueError(f"pixel_weights: expected 0 or more, got {weights[valid].min():g}.")
    return (weights.where(valid, 0) * losses).sum() / valid.sum().clamp(min=1)


def focal_loss(logits: Tensor, target: Tensor, *, gamma: float = 2.0, ignore_index: int = 255) -> Tensor:
    """Focal loss: the mean of (1 - p)^gamma · (-log p) over the valid pixels. Pixels that are easy hardly count.

    Source: Lin et al., *Focal Loss for Dense Object Detection* (2017), equation 4. Differs from it: a softmax over K
    classes where they have a sigmoid for each, and a mean over pixels where they divide by the number of objects. With
    gamma = 0 it is `cross_entropy`.

    Args:
        logits: (N, K, H, W).
        target: (N, H, W) int64, 0…K-1 or ignore_index.
        gamma: 0 or more.

    Raises TypeError or ValueError as `losses.checks.checked` says, and if gamma is negative.

    >>> logits, target = torch.zeros(1, 2, 1, 1), torch.tensor([[[0]]])  # p = 1/2
    >>> focal_loss(logits, target).item() / cross_entropy(logits, target).item()
    0.25
    """
    if not gamma >= 0:
        raise ValueError(f"gamma is {gamma}; expected 0 or more.")
    losses, valid = _pixel_losses(logits, target, ignore_index)
    missing = -torch.expm1(-losses)  # 1 - p, exact near p = 1
    # Where p rounds to 1, the slope of missing^gamma may be infinite; times a loss of 0 that would be nan.
    missing = missing.clamp(min=torch.finfo(losses.dtype).eps)
    return (missing**gamma * losses).sum() / valid.sum().clamp(min=1)


def ohem_cross_entropy(
    logits: Tensor, target: Tensor, *, threshold: float = 0.7, min_share: float = 1 / 16, ignore_index: int = 255
) -> Tensor:
    """Online hard example mining: the mean of -log p over the hard pixels alone.

    Hard are the pixels with p < threshold. If they are fewer than min_share of the valid ones, that share is taken
    nevertheless, hardest first: late in training the loss must not rest on a handful of pixels.

    Source: Shrivastava, Gupta & Girshick (2016) for the idea, with object proposals; Wu, Shen & van den Hengel,
    *Bridging Category-level and Instance-level Semantic Image Segmentation* (2016), for pixels. Differs
    from it: the least number of pixels is a share of the valid ones, not a fixed number.

    Args:
        logits: (N, K, H, W).
        target: (N, H, W) int64, 0…K-1 or ignore_index.
        threshold: a probability, 0 to 1. min_share: 0 to 1; with 1 this is `cross_entropy`.

    Raises TypeError or ValueError as `losses.checks.checked` says, and for a threshold or share outside 0…1.

    >>> logits = torch.tensor([[9.0, -1.0, 9.0, 9.0], [0.0, 0.0, 0.0, 0.0]]).view(1, 2, 1, 4)
    >>> target = torch.tensor([[[0, 0, 0, 255]]])  # two easy pixels, a hard one, and void
    >>> ohem_cross_entropy(logits, target).item()  # log(1 + e): the hard one alone
    1.3132...
    """
    for name, value in (("threshold", threshold), ("min_share", min_share)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} is {value}; expected a number from 0 to 1.")
    losses, valid = _pixel_losses(logits, target, ignore_index)
    losses = losses[valid]  # (P,)
    limit = -math.log(threshold) if threshold else math.inf
    kept = max(int((losses > limit).sum()), math.ceil(min_share * len(losses)))
    return losses.topk(kept, sorted=False).values.sum() / max(kept, 1)


def _pixel_losses(logits: Tensor, target: Tensor, ignore_index: int) -> tuple[Tensor, Tensor]:
    """-log p of each pixel, (N, H, W), 0 at void; and which pixels are valid, (N, H, W) bool."""
    logits, valid = checked(logits, target, ignore_index)
    return F.nll_loss(logits.log_softmax(1), target, reduction="none", ignore_index=ignore_index), valid


def _checked_weight(weight: Tensor, logits: Tensor) -> Tensor:
    classes = logits.shape[1]
    expected = f"weight: expected a float tensor of shape ({classes},), one number for each class"
    if not isinstance(weight, Tensor) or not weight.is_floating_point():
        raise TypeError(f"{expected}, got {describe(weight)}. Use torch.tensor([…]) with decimal numbers.")
    if weight.shape != (classes,):
        raise ValueError(f"{expected}, got {describe(weight)}.")
    if not (weight >= 0).all():
        raise ValueError(f"{expected}, all 0 or more; got {weight.tolist()}.")
    return weight.to(logits)


def _checked_pixel_weights(weights: Tensor, target: Tensor) -> Tensor:
    expected = f"pixel_weights: expected a float tensor of the target's shape {tuple(target.shape)}"
    if not isinstance(weights, Tensor) or not weights.is_floating_point():
        raise TypeError(f"{expected}, got {describe(weights)}.")
    if weights.shape != target.shape:
        raise ValueError(f"{expected}, got {describe(weights)}. For weights of classes use cross_entropy(…, weight=…).")
    return weights
