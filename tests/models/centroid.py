"""Where a network's pixels look: the centroid of the gradient of one pixel of the logits."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def made_even(model: nn.Module) -> nn.Module:
    """The network in float64 with even weights everywhere, and averages in place of maxima.

    On a constant image it then treats all directions alike: the gradient of a pixel is symmetric around the point where
    the arithmetic of its layers puts it, as long as no border is in sight.
    """
    for module in model.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.MaxPool2d):
                average = nn.AvgPool2d(child.kernel_size, child.stride, child.padding, ceil_mode=child.ceil_mode)
                setattr(module, name, average)
            if isinstance(child, nn.Conv2d):
                nn.init.constant_(child.weight, 1 / child.weight[0].numel())
                nn.init.zeros_(child.bias)
    return model.double().eval()


def centroid(network: Callable[[Tensor], Tensor], length: int, pixel: int, axis: int) -> float:
    """Of the gradient of the logit at `pixel`, along `axis` (0 down, 1 across), in an image of `length` by 1 pixels."""
    size = (length, 1) if axis == 0 else (1, length)
    image = torch.ones(1, 3, *size, dtype=torch.float64, requires_grad=True)
    network(image)[0, 0].flatten()[pixel].backward()
    weight = image.grad[0].sum(0).flatten()  # (length,)
    assert weight.min() >= 0 and weight[0] == weight[-1] == 0, "a border is in sight"
    return float((weight * torch.arange(length)).sum() / weight.sum())
