"""DeepLab v3: an atrous backbone, atrous spatial pyramid pooling, one layer of class scores, bilinear upsampling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.layers.aspp import ASPP
from course_utils.models.atrous_backbone import BACKBONE_CHANNELS, atrous_backbone

MULTI_GRID = (1, 2, 4)
ASPP_RATES = {16: (6, 12, 18), 8: (12, 24, 36)}


class SegmentationAndDepth(NamedTuple):
    """What DeepLabV3 with two heads returns."""

    out: Tensor
    """Logits (N, K, H, W)."""
    depth: Tensor
    """One number per pixel, (N, H, W): what it means is the loss's choice."""


class DeepLabHead(nn.Sequential):
    """ASPP and a 1×1 convolution: (N, C, h, w) → (N, K, h, w)."""

    def __init__(self, in_channels: int, num_classes: int, rates: Sequence[int], width: int = 256):
        super().__init__(ASPP(in_channels, rates, width), nn.Conv2d(width, num_classes, 1))


class DeepLabV3(nn.Module):
    """DeepLab v3.

    Paper: Chen, Papandreou, Schroff & Adam, *Rethinking Atrous Convolution for Semantic Image Segmentation*, 2017,
    section 3, figure 5.

    Shapes: (N, in_channels, H, W) → logits (N, K, H, W), any H and W. With `depth=True` a named tuple of the logits and
    `depth` (N, H, W). Images are normalised as the backbone's classifier wants them.

    Parameters, for 21 classes: 39,048,533 with ResNet-50, 58,040,661 with ResNet-101, 10,435,141 with
    MobileNetV3-Large, 5,670,677 with EfficientNet-Lite0.

    Differs from paper: a ResNet's block has its stride in the 3×3 convolution of its first unit, as torchvision's,
    whose ImageNet weights are loaded; the paper's has it in the last unit of the block before. (At output stride 8
    block3 runs at rates 1, 2, 2, … so that its features stay exactly those of the strided network.) Batch-norm has
    PyTorch's momentum of 0.1 (the paper: 0.0003 in PyTorch's terms). MobileNetV3 and EfficientNet-Lite0 are not in the
    paper; they have no block of three units, so no multi-grid.

    backbone: "resnet50", "resnet101", "mobilenet_v3_large" or "efficientnet_lite0". output_stride: 16, or 8 with
    doubled rates; the weights are the same. multi_grid: factors of the rates in a ResNet's last block, by default the
    paper's (1, 2, 4). width: channels of ASPP. depth: a second head, one number per pixel. pretrained: ImageNet weights
    in the backbone.

    Raises ValueError for an unknown backbone, another output stride, and in training mode for a batch of one image,
    since the batch-norm behind image pooling would have one value per channel.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        *,
        backbone: str = "resnet50",
        output_stride: int = 16,
        multi_grid: Sequence[int] | None = None,
        width: int = 256,
        depth: bool = False,
        pretrained: bool = False,
    ):
        super().__init__()
        if output_stride not in ASPP_RATES:
            raise ValueError(f"output_stride: expected 16 or 8, got {output_stride}.")
        if multi_grid is None and backbone.startswith("resnet"):
            multi_grid = MULTI_GRID
        self.backbone = atrous_backbone(
            backbone, output_stride, multi_grid=multi_grid, in_channels=in_channels, pretrained=pretrained
        )
        channels, rates = BACKBONE_CHANNELS[backbone], ASPP_RATES[output_stride]
        self.classifier = DeepLabHead(channels, num_classes, rates, width)
        self.depth = DeepLabHead(channels, 1, rates, width) if depth else None

    def forward(self, images: Tensor) -> Tensor | SegmentationAndDepth:
        size = images.shape[2:]
        features = self.backbone(images)  # (N, 2048, H/16, W/16)
        logits = upsample(self.classifier(features), size)  # (N, K, H/16, W/16) → (N, K, H, W)
        if self.depth is None:
            return logits
        return SegmentationAndDepth(logits, upsample(self.depth(features), size)[:, 0])  # (N, K, H, W), (N, H, W)


def upsample(scores: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear interpolation to the image's size: (N, K, h, w) → (N, K, H, W)."""
    return F.interpolate(scores, size, mode="bilinear", align_corners=False)
