"""Starting values of weights."""

from __future__ import annotations

from torch import nn


def he_init(network: nn.Module) -> None:
    """Give every convolution of a network normal weights of variance 2 / (inputs of a unit), and biases of 0.

    Source: He et al., *Delving Deep into Rectifiers* (2015), equation 10.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
