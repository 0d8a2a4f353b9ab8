"""Small encoder–decoders that differ in nothing but the way up: lesson 05 compares them."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.data.names import unknown
from course_utils.layers.unpooling import Pooled, max_pool, max_unpool
from course_utils.models.ensemble import Ensemble

WAYS = ("unpooling", "transposed", "bilinear", "skips", "scores")
_WIDTHS = (12, 16, 24)  # of the encoder's three stages


class WaysUp(Ensemble):
    """Several small networks for each way up. The ensemble's logits are the mean of its members'.

    members[way][i] is the i-th network of a way, an `EncoderDecoder`; `copies` is how many of each there are.

    Shapes: (N, C, H, W) → logits (N, K, H, W), any H and W. Parameters: 132,190 for 3 channels, 8 classes and one copy
    of each of the five. The course's own.

    Raises ValueError for fewer than one copy.
    """

    def __init__(self, num_classes: int, in_channels: int = 3, *, copies: int = 1):
        super().__init__({way: partial(EncoderDecoder, num_classes, in_channels, way) for way in WAYS}, copies)


class EncoderDecoder(nn.Module):
    """Three convolutions, each pooled, one at the bottom, and three stages up by one of five ways.

    way: how a stage gets from h×w to H×W before its two convolutions:

    - "unpooling": each value goes to where the encoder had its maximum (SegNet);
    - "transposed": stride 2 in the first of the two convolutions, a transposed one: each value goes to the upper left
      pixel of its 2×2 window, whatever the image;
    - "bilinear": interpolation, which puts values everywhere;
    - "skips": interpolation, and the encoder's map of that size beside it (U-Net). The first convolution reads twice
      the channels and gives fewer, so that both together have as many weights as in the other ways;
    - "scores": no stages. As many weights in two more convolutions at the bottom, and the class scores are interpolated
      eight times as large (FCN without skips).

    Shapes: (N, C, H, W) → logits (N, K, H, W), any H and W. Parameters: 26,396 for 3 channels and 8 classes; skips
    26,286, scores 26,716.

    Raises ValueError for another way.
    """

    def __init__(self, num_classes: int, in_channels: int, way: str):
        super().__init__()
        if way not in WAYS:
            raise unknown("way", way, WAYS)
        self.way = way
        w1, w2, w3 = _WIDTHS
        self.conv1 = convolution(in_channels, w1)
        self.conv2 = convolution(w1, w2)
        self.conv3 = convolution(w2, w3)
        self.bottom = convolution(w3, w3)
        if way == "scores":
            self.more = nn.Sequential(convolution(w3, w3 * 3 // 2), convolution(w3 * 3 // 2, w3))
            self.score = nn.Conv2d(w3, num_classes, 1)
            return
        self.up3 = StageUp(w3, w2, way)
        self.up2 = StageUp(w2, w1, way)
        self.up1 = StageUp(w1, w1, way)
        self.score = nn.Conv2d(w1, num_classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        map1 = self.conv1(images)  # (N, 12, H, W)
        pool1 = max_pool(map1)  # (N, 12, H/2, W/2)
        map2 = self.conv2(pool1.values)  # (N, 16, H/2, W/2)
        pool2 = max_pool(map2)  # (N, 16, H/4, W/4)
        map3 = self.conv3(pool2.values)  # (N, 24, H/4, W/4)
        pool3 = max_pool(map3)  # (N, 24, H/8, W/8)
        features = self.bottom(pool3.values)  # (N, 24, H/8, W/8)
        if self.way == "scores":
            return F.interpolate(self.score(self.more(features)), images.shape[2:], mode="bilinear")  # (N, K, H, W)
        features = self.up3(features, pool3, map3)  # (N, 16, H/4, W/4)
        features = self.up2(features, pool2, map2)  # (N, 12, H/2, W/2)
        features = self.up1(features, pool1, map1)  # (N, 12, H, W)
        return self.score(features)  # (N, K, H, W)


class StageUp(nn.Module):
    """Up to the size of an encoder's map, and two convolutions."""

    def __init__(self, channels: int, out_channels: int, way: str):
        super().__init__()
        self.way = way
        between = channels
        if way == "skips":
            between = round(channels * (channels + out_channels) / (2 * channels + out_channels))
            self.first = convolution(2 * channels, between)
        elif way == "transposed":
            self.stretch = nn.ConvTranspose2d(channels, channels, 3, stride=2, padding=1, bias=False)
            self.first = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())
        else:
            self.first = convolution(channels, channels)
        self.second = convolution(between, out_channels)

    def forward(self, features: Tensor, pooled: Pooled, encoder_map: Tensor) -> Tensor:
        if self.way == "unpooling":
            features = max_unpool(features, pooled.indices, pooled.size)
        elif self.way == "transposed":
            features = self.stretch(features, output_size=pooled.size)
        else:
            features = F.interpolate(features, pooled.size, mode="bilinear")
        if self.way == "skips":
            features = torch.cat([features, encoder_map], dim=1)
        return self.second(self.first(features))  # (N, out, H, W)


def convolution(in_channels: int, out_channels: int) -> nn.Sequential:
    """Convolution 3×3 that keeps the size, batch normalisation, ReLU."""
    layer = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(out_channels), nn.ReLU())
