"""Small U-Nets that differ in one thing each, trained side by side: lesson 04 compares them."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.data.names import unknown
from course_utils.models.ensemble import Ensemble

_JOINS = ("concat", "sum")
ARMS = {
    "plain": "concat",
    "weight_map": "concat",
    "sum": "sum",
    "ten_images": "concat",
    "ten_bent": "concat",
}
"""What is compared, and how skips are joined in each. The rest is training: tools/weights/small_unets_cells."""


class SmallUNets(Ensemble):
    """Several small U-Nets for each arm of the comparison. The ensemble's logits are the mean of its members'.

    members[arm][i] is the i-th network of an arm, a `SmallUNet`; `copies` is how many of each there are.

    Shapes: (N, C, H, W) → logits (N, K, H, W), any H and W. Parameters: 144,570 for one channel, two classes and one
    copy of each of the five. The course's own.

    Raises ValueError for fewer than one copy.
    """

    def __init__(self, num_classes: int, in_channels: int = 3, *, copies: int = 1):
        super().__init__(
            {arm: partial(SmallUNet, num_classes, in_channels, join) for arm, join in ARMS.items()}, copies
        )


class SmallUNet(nn.Module):
    """A U-Net with two poolings and eight channels at its first level, padded, with batch normalisation.

    join: "concat" puts the skip beside the map from below, as U-Net does; "sum" adds it, as FCN does.

    Shapes: (N, C, H, W) → logits (N, K, H, W), any H and W. Parameters: 29,490 for one channel and two classes; sum
    26,610. Differs from the paper of U-Net (Ronneberger et al., 2015): two levels for four, an eighth of the width,
    padding, batch normalisation, no dropout.

    Raises ValueError for another join.
    """

    def __init__(self, num_classes: int, in_channels: int, join: str = "concat"):
        super().__init__()
        if join not in _JOINS:
            raise unknown("join", join, _JOINS)
        self.join = join
        joined = 2 if join == "concat" else 1
        self.down1 = _convolutions(in_channels, 8)
        self.down2 = _convolutions(8, 16)
        self.bottom = _convolutions(16, 32)
        self.up2 = nn.ConvTranspose2d(32, 16, 2, stride=2)
        self.merge2 = _convolutions(16 * joined, 16)
        self.up1 = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.merge1 = _convolutions(8 * joined, 8)
        self.score = nn.Conv2d(8, num_classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        level1 = self.down1(F.pad(images, (0, -width % 4, 0, -height % 4)))  # (N, 8, H, W)
        level2 = self.down2(F.max_pool2d(level1, 2))  # (N, 16, H/2, W/2)
        features = self.bottom(F.max_pool2d(level2, 2))  # (N, 32, H/4, W/4)
        features = self.merge2(self.joined(level2, self.up2(features)))  # (N, 16, H/2, W/2)
        features = self.merge1(self.joined(level1, self.up1(features)))  # (N, 8, H, W)
        return self.score(features)[..., :height, :width]  # (N, K, H, W)

    def joined(self, skip: Tensor, features: Tensor) -> Tensor:
        """(N, C, H, W) twice → (N, 2C, H, W) or, as a sum, (N, C, H, W)."""
        return torch.cat([skip, features], dim=1) if self.join == "concat" else skip + features


def _convolutions(in_channels: int, out_channels: int) -> nn.Sequential:
    """Twice: convolution 3×3 that keeps the size, batch normalisation, ReLU."""
    layers: list[nn.Module] = []
    for channels in (in_channels, out_channels):
        layers.append(nn.Conv2d(channels, out_channels, 3, padding=1, bias=False))
        layers += [nn.BatchNorm2d(out_channels), nn.ReLU()]
    return nn.Sequential(*layers)
