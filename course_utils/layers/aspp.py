"""Atrous spatial pyramid pooling, ASPP (空洞空间金字塔池化): one map, looked at through kernels of several reaches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ConvBNReLU(nn.Sequential):
    """A convolution that keeps the map's size, batch-norm, ReLU: (N, C, H, W) → (N, O, H, W)."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, rate: int = 1):
        padding = rate * (kernel_size // 2)
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel_size, padding=padding, dilation=rate, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
        )


class ImagePooling(nn.Sequential):
    """What the whole image says, at every place: (N, C, H, W) → (N, O, H, W), each channel constant.

    Raises ValueError in training mode for a batch of one image: its batch-norm would have one value per channel.
    """

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(in_channels, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
        )

    def forward(self, features: Tensor) -> Tensor:
        batch_norm = self[2]
        if batch_norm.training and len(features) == 1:
            raise ValueError(
                "images: got a batch of 1 in training mode. The image pooling of ASPP leaves one value per channel and "
                "image, and batch-norm needs two. Use batches of 2 or more, or eval() on the batch-norm layers."
            )
        pooled = super().forward(features)  # (N, O, 1, 1)
        return F.interpolate(pooled, features.shape[2:], mode="bilinear", align_corners=False)  # (N, O, H, W)


class ASPP(nn.Module):
    """Parallel branches over one map, concatenated and mixed by a 1×1 convolution.

    Paper: Chen, Papandreou, Schroff & Adam, *Rethinking Atrous Convolution for Semantic Image Segmentation*, 2017,
    section 3.3: a 1×1 convolution, a 3×3 convolution for each rate, image pooling; 256 channels and batch-norm each.

    Shapes: (N, in_channels, H, W) → (N, out_channels, H, W). Parameters: 15,535,104 for 2048 channels and three rates.

    Differs from paper: nothing. (In DeepLab v2 the branches end in class scores, which are added. torchvision puts
    dropout of 0.5 behind the mix: `dropout`.)
    """

    def __init__(self, in_channels: int, rates: Sequence[int], out_channels: int = 256, *, dropout: float = 0.0):
        super().__init__()
        self.convs = nn.ModuleList([
            ConvBNReLU(in_channels, out_channels, 1),
            *(ConvBNReLU(in_channels, out_channels, 3, rate) for rate in rates),
            ImagePooling(in_channels, out_channels),
        ])  # fmt: skip
        self.project = nn.Sequential(
            *ConvBNReLU(len(self.convs) * out_channels, out_channels, 1), nn.Dropout(dropout)
        )

    def forward(self, features: Tensor) -> Tensor:
        branches = [branch(features) for branch in self.convs]  # 5 × (N, 256, h, w)
        return self.project(torch.cat(branches, dim=1))  # (N, 1280, h, w) → (N, 256, h, w)
