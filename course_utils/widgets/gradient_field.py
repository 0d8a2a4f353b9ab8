"""The effective receptive field of one unit, made small enough to be sent to a browser."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from course_utils.receptive_field import effective_area
from course_utils.widgets.base import encode

# Longest side in patches: finer than it is drawn.
_MOST_PATCHES = 160


@dataclass(frozen=True)
class GradientField:
    """How strongly a unit reacts to the pixels that it can see."""

    box: tuple[int, int, int, int]
    """(top, left, bottom, right) of the pixels that the unit sees inside the image; empty if it sees padding only."""
    strength: Tensor
    """(h, w), mean |gradient| of the patches of the box (of its pixels, if it is small), relative to the largest."""
    share: float
    """Part of the box's pixels that react with more than 4.55 % of the strongest one (`effective_area`)."""

    def to_browser(self) -> dict[str, Any]:
        """Plain numbers and text; the square root keeps weak pixels apart in 8 bits."""
        rows, cols = self.strength.shape
        shades = (self.strength.sqrt() * 255).round()
        return {"box": self.box, "rows": rows, "cols": cols, "data": encode(shades, "uint8"), "share": self.share}


def clip_box(box: tuple[float, float, float, float], height: int, width: int) -> tuple[int, int, int, int]:
    """The part of a box, which may be infinite, that lies inside an image.

    >>> clip_box((-90, -float("inf"), 122, float("inf")), 100, 50)
    (0, 0, 100, 50)
    """
    top, left, bottom, right = box
    inside = [
        min(max(side, 0), most) for side, most in ((top, height), (left, width), (bottom, height), (right, width))
    ]
    return tuple(int(side) for side in inside)


def summarize(gradient: Tensor, box: tuple[float, float, float, float]) -> GradientField:
    """Cut the (H, W) gradient to the box and average it over at most 160 × 160 patches."""
    top, left, bottom, right = inside = clip_box(box, *gradient.shape)
    seen = gradient[top:bottom, left:right]
    if seen.numel() == 0:
        return GradientField(inside, seen, 0.0)
    patch = max(1.0, max(seen.shape) / _MOST_PATCHES)
    strength = F.adaptive_avg_pool2d(seen[None], [math.ceil(side / patch) for side in seen.shape])[0]
    largest = strength.max()
    if largest > 0:
        strength = strength / largest
    return GradientField(inside, strength, effective_area(gradient) / seen.numel())
