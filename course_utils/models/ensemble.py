"""Several networks side by side, in one file of weights: lessons compare them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn


class Ensemble(nn.Module):
    """`copies` networks of each kind, members[kind][i]; its logits are the mean of its members'.

    Shapes: (N, C, H, W) → logits (N, K, H, W), for members that give logits of one size.

    Raises ValueError for fewer than one copy.

    >>> pair = Ensemble({"one": lambda: nn.Conv2d(3, 2, 1)}, copies=2)
    >>> len(pair.members["one"]), pair(torch.zeros(1, 3, 4, 5)).shape
    (2, torch.Size([1, 2, 4, 5]))
    """

    def __init__(self, kinds: Mapping[str, Callable[[], nn.Module]], copies: int):
        super().__init__()
        if copies < 1:
            raise ValueError(f"copies: expected 1 or more, got {copies}.")
        self.members = nn.ModuleDict({
            kind: nn.ModuleList(build() for _ in range(copies)) for kind, build in kinds.items()
        })  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        logits = [member(images) for members in self.members.values() for member in members]
        return torch.stack(logits).mean(0)  # (N, K, H, W)
