"""What a recipe for trained weights holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import nn


@dataclass(frozen=True)
class Recipe:
    """A network by name, how to train it, and how to score it.

    train: changes the network, which is built after torch.manual_seed(0), in place. score: called with the network as
    a lesson will load it; returns named numbers for the table. about: data, steps and whatever else a reader must know.
    """

    model: str
    num_classes: int
    train: Callable[[nn.Module], object]
    score: Callable[[nn.Module], dict[str, float]]
    about: str
    in_channels: int = 3
    options: dict[str, Any] = field(default_factory=dict)
