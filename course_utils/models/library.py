"""Networks of segmentation-models-pytorch, on the encoder whose ImageNet weights are always there."""

from __future__ import annotations

import segmentation_models_pytorch as smp
from torch import nn

from course_utils.models.any_size import AnySize
from course_utils.models.classifiers import load_classifier

_ENCODER = "tu-tf_efficientnet_lite0"  # timm's, whose weights `load_classifier` knows
_STRIDE = 32


def smp_fpn(num_classes: int, in_channels: int = 3, *, pretrained: bool = False) -> nn.Module:
    """EfficientNet-Lite0 with a feature pyramid decoder (Kirillov et al., *Panoptic Feature Pyramid Networks*, 2019).

    Shapes: (N, C, H, W) in [-1, 1] → logits (N, K, H, W), any H and W. Parameters: 3,429,768 for 3 channels and 8
    classes. Differs from paper: half the decoder's
    channels, 128 in the pyramid and 64 after it; logits at H/4, upsampled by bilinear interpolation.

    Raises ValueError if pretrained weights are asked for and `in_channels` is not 3.
    """
    network = smp.FPN(
        _ENCODER, encoder_weights=None, in_channels=in_channels, classes=num_classes,
        decoder_pyramid_channels=128, decoder_segmentation_channels=64,
    )  # fmt: skip
    return _finished(network, in_channels, pretrained)


def smp_unet(num_classes: int, in_channels: int = 3, *, pretrained: bool = False) -> nn.Module:
    """EfficientNet-Lite0 with a U-Net decoder: concatenated skips at strides 16, 8, 4 and 2.

    Shapes and errors as in `smp_fpn`. Parameters: 3,833,224 for 3 channels and 8 classes. Differs from paper
    (Ronneberger et al., 2015): another encoder, padded convolutions, nearest-neighbour upsampling, batch normalisation,
    decoder widths 128, 64, 48, 32, 16.
    """
    network = smp.Unet(
        _ENCODER, encoder_weights=None, in_channels=in_channels, classes=num_classes,
        decoder_channels=(128, 64, 48, 32, 16),
    )  # fmt: skip
    return _finished(network, in_channels, pretrained)


def _finished(network: nn.Module, in_channels: int, pretrained: bool) -> nn.Module:
    if pretrained:
        if in_channels != 3:
            raise ValueError(
                f"in_channels: the ImageNet weights are for 3 channels, got {in_channels}. Use pretrained=False."
            )
        encoder = network.encoder.model
        weights = load_classifier("efficientnet_lite0").state_dict()
        encoder.load_state_dict({name: weights[name] for name in encoder.state_dict()})
    return AnySize(network, _STRIDE)
