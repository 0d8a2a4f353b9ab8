"""What metrics and losses ask of label maps: whole numbers of the right type, size and range."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course_utils.data.checks import describe


def check_label_maps(prediction: Tensor, target: Tensor) -> None:
    """Check that both are int64 tensors of one shape on one device; `check_classes` looks at their values.

    Raises TypeError for another kind of object or number, ValueError for another shape or device.
    """
    check_int64("prediction", prediction)
    check_int64("target", target)
    if prediction.shape != target.shape:
        raise ValueError(
            f"prediction and target differ in shape: {tuple(prediction.shape)} and {tuple(target.shape)}. Resize the "
            "scores to the size of the target before the argmax; never resize the target to score it."
        )
    if prediction.device != target.device:
        raise ValueError(
            f"prediction is on {prediction.device} and target on {target.device}. Use target.to(prediction.device)."
        )


def check_int64(name: str, labels: Any) -> None:
    """Check that `labels` is an int64 tensor; raise TypeError with a fix if it isn't."""
    if isinstance(labels, Tensor) and labels.dtype == torch.int64:
        return
    if not isinstance(labels, Tensor):
        fix = "Use torch.as_tensor(labels).long()."
    elif labels.is_floating_point():
        fix = "Are these scores? Take scores.argmax(1) first. If they are class numbers, use .long()."
    else:
        fix = "Use .long()."
    raise TypeError(f"{name}: expected an int64 tensor of class numbers, got {describe(labels)}. {fix}")


def check_classes(name: str, labels: Tensor, num_classes: int, void: Tensor, void_label: int | None = None) -> None:
    """Check that `labels` are 0 to num_classes - 1 wherever `void` (bool, of the same shape) is False.

    void_label: the number that stands for void, if `labels` may hold one; for the message. Raises ValueError.
    """
    if labels.numel() == 0:
        return
    low, high = torch.stack(labels.masked_fill(void, 0).aminmax()).tolist()  # one wait for a GPU, not two
    if low >= 0 and high < num_classes:
        return
    wrong = ~void & ((labels < 0) | (labels >= num_classes))
    numbers = labels[wrong].unique().tolist()
    shown = ", ".join(map(str, numbers[:8])) + (", …" if len(numbers) > 8 else "")
    allowed = f"0 to {num_classes - 1}" + ("" if void_label is None else f", or {void_label} for void")
    raise ValueError(
        f"{name}: class numbers must be {allowed}; got {shown} in {int(wrong.sum())} pixels. "
        + ("Is the number of classes right?" if void_label is None else _TARGET_FIX)
    )


_TARGET_FIX = "Is the number of classes right, and ignore_index? Map labels that are no class to ignore_index."
