"""Small explorers: an image that is not square, scores and networks that run in milliseconds."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from course_utils.widgets import ReceptiveFieldExplorer, SlidingWindowExplorer


@pytest.fixture
def image() -> Tensor:
    return torch.rand(3, 64, 96)


@pytest.fixture
def scores() -> dict[int, Tensor]:
    """Two classes, window 32: (64 − 32) / 8 + 1 = 5 rows, (96 − 32) / 8 + 1 = 9 columns; 9 × 17 at stride 4."""
    return {8: torch.rand(2, 5, 9), 4: torch.rand(2, 9, 17)}


@pytest.fixture
def sliding(image, scores) -> SlidingWindowExplorer:
    return SlidingWindowExplorer(image, scores, ["cat", "dog"], 32, torch.rand(2, 5, 9))


@pytest.fixture
def networks() -> dict[str, nn.Module]:
    padded = nn.Sequential(
        nn.Conv2d(3, 4, 5, 2, padding=2), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 8, 5, padding=4)
    )
    dense = nn.Sequential(nn.Conv2d(3, 4, 9, 4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    return {"padded": padded, "dense": dense}


@pytest.fixture
def fields(image, networks) -> ReceptiveFieldExplorer:
    return ReceptiveFieldExplorer(image, networks, {"padded": ["0", "3"], "dense": ["0", "1"]})
