"""Look at a network without changing it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[nn.Module]:
    """Switch `model` to evaluation mode; give every module its own mode back afterwards.

    >>> net = nn.Sequential(nn.Dropout(), nn.ReLU().eval()).train()
    >>> net[1].training = False
    >>> with evaluating(net):
    ...     print(net[0].training)
    False
    >>> net[0].training, net[1].training
    (True, False)
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield model
    finally:
        for module, training in modes:
            module.training = training


def input_channels(model: nn.Module) -> int:
    """Channels of the image that a network takes: what its first convolution reads.

    Raises:
        ValueError: there is no convolution to tell.

    >>> input_channels(nn.Sequential(nn.ReLU(), nn.Conv2d(5, 8, 3)))
    5
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            return module.in_channels
    raise ValueError(f"{type(model).__name__} has no convolution, so its number of input channels is unknown")
