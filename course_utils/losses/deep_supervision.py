"""Deep supervision: a loss at several depths of the network, added up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.losses.pixel import cross_entropy
from course_utils.metrics.checks import check_int64

Loss = Callable[[Tensor, Tensor], Tensor]


def deep_supervision(
    outputs: Sequence[Tensor], target: Tensor, weights: Sequence[float] | None = None, loss: Loss = cross_entropy
) -> Tensor:
    """The weighted sum of a loss over several outputs of a network: Σ weights[i] · loss(outputs[i], target).

    An output may be smaller than the target. The target is then resized to it by nearest neighbour: void stays void,
    and no label is invented.

    Source: Lee et al., *Deeply-Supervised Nets* (2015); in segmentation PSPNet (weights 1, 0.4), BiSeNet (1, 1, 1) and
    RedNet (five outputs at 1/1 to 1/16 of the size, all 1).

    Args:
        outputs: logits (N, K, H, W), (N, K, H/2, W/2) or other sizes; a tuple such as a model returns in training.
        target: (N, H, W) int64.
        weights: one number for each output; all 1 if left out.
        loss: takes logits and target, returns a scalar; `functools.partial` sets its options.

    Raises ValueError if there is no output, not one weight for each, or an output larger than the target.

    >>> logits, target = torch.randn(1, 3, 8, 12), torch.randint(3, (1, 8, 12))
    >>> both = deep_supervision((logits, logits[:, :, ::2, ::2]), target, weights=(1, 0.4))
    """
    check_int64("target", target)
    if isinstance(outputs, Tensor) or len(outputs) == 0:
        raise ValueError("outputs: expected a tuple or list of one or more tensors; for a single output call the loss.")
    if weights is None:
        weights = [1.0] * len(outputs)
    if len(weights) != len(outputs):
        raise ValueError(f"weights has {len(weights)} numbers for {len(outputs)} outputs; give one each.")
    losses = [loss(logits, _target_for(logits, target, index)) for index, logits in enumerate(outputs)]
    return sum(weight * value for weight, value in zip(weights, losses, strict=True))


def _target_for(logits: Tensor, target: Tensor, index: int) -> Tensor:
    """The target at the size of the logits."""
    size, full = tuple(logits.shape[-2:]), tuple(target.shape[-2:])
    if size == full:
        return target
    if size[0] > full[0] or size[1] > full[1]:
        raise ValueError(f"outputs[{index}] is {size}, larger than the target {full}. Resize it to the target's size.")
    resized = F.interpolate(target[:, None].float(), size, mode="nearest-exact")  # (N, 1, h, w), whole numbers still
    return resized[:, 0].to(torch.int64)
