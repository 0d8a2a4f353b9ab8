"""A network small enough to train within a lesson."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class SmallFCN(nn.Module):
    """Four stages of convolutions at strides 1, 2, 4 and 8; their class scores are upsampled and added, as in FCN.

    Shapes: (N, C, H, W) → logits (N, K, H, W), any H and W from 8 on. Parameters: 295,952 for 3 channels, 8 classes
    and width 16. The course's own; its skips are those of Long, Shelhamer & Darrell (2015), on a smaller scale.

    width: channels of the first stage; they double from stage to stage. dropout: share of channels switched off before
    the last scores.
    """

    def __init__(self, num_classes: int, in_channels: int = 3, *, width: int = 16, dropout: float = 0.1):
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width]
        inputs = [in_channels, *widths[:-1]]
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
                nn.Conv2d(after, after, 3, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            )
            for before, after, stride in zip(inputs, widths, (1, 2, 2, 2), strict=True)
        )
        self.dropout = nn.Dropout2d(dropout)
        self.scores = nn.ModuleList(nn.Conv2d(channels, num_classes, 1) for channels in widths)

    def forward(self, images: Tensor) -> Tensor:
        maps = []
        features = images
        for stage in self.stages:
            features = stage(features)  # (N, width·2^s, H/2^s, W/2^s) for s = 0 … 3
            maps.append(features)
        logits = self.scores[-1](self.dropout(maps[-1]))  # (N, K, H/8, W/8)
        for score, skip in zip(reversed(self.scores[:-1]), reversed(maps[:-1]), strict=True):
            logits = F.interpolate(logits, size=skip.shape[2:], mode="bilinear", align_corners=False) + score(skip)
        return logits
