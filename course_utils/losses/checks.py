"""What every loss asks of logits and target."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.data.checks import describe
from course_utils.metrics.checks import check_classes, check_int64


def checked(logits: Tensor, target: Tensor, ignore_index: int) -> tuple[Tensor, Tensor]:
    """Check logits (N, K, H, W) and target (N, H, W); return logits in float32 or better, and which pixels are valid.

    Half precision has 8 to 11 bits: too few for a sum over an image, or for a probability near one.

    Raises TypeError for other types, ValueError for shapes or devices that don't fit, or class numbers outside 0…K-1.
    """
    expected = "logits: expected a float tensor of shape (N, K, H, W)"
    if not isinstance(logits, Tensor) or not logits.is_floating_point():
        raise TypeError(f"{expected}, got {describe(logits)}. Give the scores, not their argmax.")
    if logits.ndim != 4:
        raise ValueError(f"{expected}, got {describe(logits)}. For one image use logits[None] and target[None].")
    if logits.shape[1] < 2:
        raise ValueError(
            f"{expected} with K = 2 classes or more, got K = {logits.shape[1]}: the softmax of one class is always 1. "
            "For foreground and background use two outputs."
        )
    check_int64("target", target)
    size = (logits.shape[0], *logits.shape[2:])
    if target.shape != size:
        raise ValueError(
            f"target has shape {tuple(target.shape)}; expected (N, H, W) = {size} for logits of shape "
            f"{tuple(logits.shape)}. Resize the logits with F.interpolate(logits, target.shape[-2:], mode='bilinear')."
        )
    if target.device != logits.device:
        raise ValueError(f"target is on {target.device} and logits on {logits.device}. Use target.to(logits.device).")
    void = target == ignore_index
    check_classes("target", target, logits.shape[1], void, ignore_index)
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits, ~void
