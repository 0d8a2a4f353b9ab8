"""What there is to know of each network by name, for the tests that all of them must pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.models import build_model

Size = tuple[int, int]


@dataclass(frozen=True)
class Count:
    """The parameters of a network, as the paper (or its authors' code) has them."""

    parameters: int
    num_classes: int
    in_channels: int = 3
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A network by name.

    counts: exact numbers of parameters, trainable or not. small: options that make it small enough to be trained here.
    sizes: images to try the small one on, odd and not square. output_size: of the logits, for an image's size.
    train_size: of the two pictures that it must learn by heart, with `lr` and at most `steps` steps of Adam.
    double: compare outputs in float64, for networks whose argmax flips by rounding.
    """

    name: str
    counts: tuple[Count, ...]
    small: dict[str, Any] = field(default_factory=dict)
    sizes: tuple[Size, ...] = ((37, 51), (64, 96), (33, 80))
    output_size: Callable[[int, int], Size] = lambda height, width: (height, width)
    train_size: Size = (48, 64)
    lr: float = 3e-3
    steps: int = 200
    double: bool = False

    def build(self, num_classes: int = 4, in_channels: int = 3) -> nn.Module:
        """The small form, in float64 if it is to be compared in it."""
        model = build_model(self.name, num_classes, in_channels, **self.small)
        return model.double() if self.double else model

    def images(self, number: int, size: Size, channels: int = 3) -> Tensor:
        """Noise that the small form takes."""
        return torch.randn(number, channels, *size, dtype=torch.float64 if self.double else torch.float32)


def all_cases() -> list[Case]:
    """The cases of every file in the folder `cases`, each of which has a list `CASES`."""
    files = sorted((Path(__file__).parent / "cases").glob("[a-z]*.py"))
    return [case for path in files for case in import_module(f"tests.models.cases.{path.stem}").CASES]


def two_pictures(size: Size) -> tuple[Tensor, Tensor]:
    """Noisy pictures of four large regions, float32 (2, 3, H, W), and their masks."""
    height, width = size
    rows, cols = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    masks = torch.stack([(rows > 0.45).long() + 2 * (cols > 0.6), (rows + cols > 0.9).long() + 2 * (cols - rows > 0.2)])
    colors = torch.tensor([[0.1, 0.2, 0.8], [0.9, 0.1, 0.3], [0.2, 0.8, 0.1], [0.8, 0.9, 0.7]])
    noise = 0.1 * torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    return colors[masks].permute(0, 3, 1, 2) * 2 - 1 + noise, masks
