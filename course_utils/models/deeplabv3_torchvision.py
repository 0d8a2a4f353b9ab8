"""DeepLab v3 as torchvision builds it: the same modules under the same names, so weights go both ways."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from course_utils.data.names import unknown
from course_utils.layers.aspp import ASPP, ConvBNReLU
from course_utils.models.atrous_backbone import BACKBONE_CHANNELS, atrous_backbone
from course_utils.models.deeplabv3 import upsample

# backbone -> output stride, the layer that the auxiliary head reads, its channels
_FORMS = {"resnet50": (8, "layer3", 1024), "resnet101": (8, "layer3", 1024), "mobilenet_v3_large": (16, "4", 40)}


class DeepLabOutput(NamedTuple):
    """What the network returns in training mode if it has an auxiliary head; both (N, K, H, W)."""

    out: Tensor
    aux: Tensor


class DeepLabV3Torchvision(nn.Module):
    """torchvision's `deeplabv3_resnet50`, `deeplabv3_resnet101` and `deeplabv3_mobilenet_v3_large`.

    `load_state_dict` takes torchvision's weights, and torchvision's networks take this one's; outputs are equal.

    Paper: Chen et al., *Rethinking Atrous Convolution for Semantic Image Segmentation*, 2017, section 3.

    Shapes: (N, in_channels, H, W) → logits (N, K, H, W), any H and W; with `auxiliary=True`, in training mode, a named
    tuple of logits (`out`, `aux`).

    Parameters, for 21 classes: 39,638,869 with ResNet-50 (42,004,074 with the auxiliary head), 58,630,997 with
    ResNet-101 (60,996,202), 11,025,477 with MobileNetV3-Large (11,029,328).

    Differs from paper: no multi-grid; a 3×3 convolution between ASPP and the scores; dropout of 0.5; rates 12, 24, 36
    at either output stride, which is 8 with a ResNet and 16 with MobileNetV3; an auxiliary head of scores after a
    ResNet's third block (after the third stage of MobileNetV3, at stride 8); batches of one image in training mode
    raise ValueError.

    backbone: "resnet50", "resnet101" or "mobilenet_v3_large". auxiliary: with the auxiliary head. pretrained: ImageNet
    weights in the backbone.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        *,
        backbone: str = "resnet50",
        auxiliary: bool = False,
        pretrained: bool = False,
    ):
        super().__init__()
        if backbone not in _FORMS:
            raise unknown("backbone", backbone, list(_FORMS))
        output_stride, self.auxiliary_layer, auxiliary_channels = _FORMS[backbone]
        self.backbone = atrous_backbone(backbone, output_stride, in_channels=in_channels, pretrained=pretrained)
        if backbone == "mobilenet_v3_large":
            _dilate_the_first_unit(self.backbone)
        self.classifier = nn.Sequential(
            ASPP(BACKBONE_CHANNELS[backbone], rates=(12, 24, 36), dropout=0.5),
            *ConvBNReLU(256, 256, 3),
            nn.Conv2d(256, num_classes, 1),
        )
        self.aux_classifier = _fcn_head(auxiliary_channels, num_classes) if auxiliary else None

    def forward(self, images: Tensor) -> Tensor | DeepLabOutput:
        size = images.shape[2:]
        features = images
        for name, layer in self.backbone.named_children():
            features = layer(features)  # at last (N, 2048, H/8, W/8)
            if name == self.auxiliary_layer:
                middle = features  # (N, 1024, H/8, W/8)
        logits = upsample(self.classifier(features), size)  # (N, K, H/8, W/8) → (N, K, H, W)
        if self.aux_classifier is None or not self.training:
            return logits
        return DeepLabOutput(logits, upsample(self.aux_classifier(middle), size))


def _fcn_head(in_channels: int, num_classes: int) -> nn.Sequential:
    """A small head of scores, a quarter as wide as what it reads: (N, C, h, w) → (N, K, h, w)."""
    width = in_channels // 4
    return nn.Sequential(*ConvBNReLU(in_channels, width, 3), nn.Dropout(0.1), nn.Conv2d(width, num_classes, 1))


def _dilate_the_first_unit(mobilenet: nn.Sequential) -> None:
    """torchvision dilates the unit that lost its stride as well: not exactly à trous, but its weights expect it."""
    depthwise = mobilenet.get_submodule("13.block.1.0")
    depthwise.dilation, depthwise.padding = (2, 2), (4, 4)
