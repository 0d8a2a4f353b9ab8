"""VGG16's thirteen convolutions with batch normalisation and pooling indices: SegNet's and DeconvNet's encoder."""

from __future__ import annotations

from torch import Tensor, nn

from course_utils.layers.unpooling import Pooled, max_pool
from course_utils.models.classifiers import load_classifier


class ConvBNReLU(nn.Sequential):
    """Convolution 3×3 that keeps the size, batch normalisation, ReLU."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__(nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.BatchNorm2d(out_channels), nn.ReLU())


class VGGEncoder(nn.Module):
    """Five stages of convolutions, each followed by 2×2 max-pooling whose indices are kept.

    Shapes: (N, C, H, W) → five `Pooled` maps of width·(1, 2, 4, 8, 8) channels at strides 2, 4, 8, 16 and 32; a side of
    the last is ⌈side / 32⌉. Parameters: 14,723,136 for 3 channels and width 64 (VGG16's convolutions 14,714,688, batch
    normalisation 8,448).
    """

    def __init__(self, in_channels: int, width: int):
        super().__init__()
        w1, w2, w3, w4 = (width * factor for factor in (1, 2, 4, 8))
        self.conv1 = stage(in_channels, w1, w1)
        self.conv2 = stage(w1, w2, w2)
        self.conv3 = stage(w2, w3, w3, w3)
        self.conv4 = stage(w3, w4, w4, w4)
        self.conv5 = stage(w4, w4, w4, w4)

    def forward(self, images: Tensor) -> tuple[Pooled, Pooled, Pooled, Pooled, Pooled]:
        pool1 = max_pool(self.conv1(images))  # (N, 64, H/2, W/2)
        pool2 = max_pool(self.conv2(pool1.values))  # (N, 128, H/4, W/4)
        pool3 = max_pool(self.conv3(pool2.values))  # (N, 256, H/8, W/8)
        pool4 = max_pool(self.conv4(pool3.values))  # (N, 512, H/16, W/16)
        pool5 = max_pool(self.conv5(pool4.values))  # (N, 512, H/32, W/32)
        return pool1, pool2, pool3, pool4, pool5


def stage(*channels: int) -> nn.Sequential:
    """A chain of `ConvBNReLU`, one for each step from channels to channels."""
    return nn.Sequential(*map(ConvBNReLU, channels[:-1], channels[1:]))


def he_init(module: nn.Module) -> None:
    """Normal weights of standard deviation √(2 / N), N the inputs of one output; biases 0 (He et al., 2015)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):  # of the latter, only those with stride 1 are used
        taps = module.kernel_size[0] * module.kernel_size[1]
        nn.init.normal_(module.weight, std=(2 / (taps * module.in_channels)) ** 0.5)
        nn.init.zeros_(module.bias)


def check_width(width: int) -> None:
    """Raise ValueError unless `width` is a number of channels."""
    if width < 1:
        raise ValueError(f"width: expected 1 or more channels, got {width}.")


def load_imagenet(encoder: VGGEncoder) -> nn.Module:
    """Give the encoder the ImageNet weights of torchvision's `vgg16_bn`, which has the same layers; return that.

    Without the file and without a network connection the weights are random, and a `UserWarning` says so.

    Raises ValueError for an encoder of other channels or another width.
    """
    first = encoder.conv1[0][0]
    if (first.in_channels, first.out_channels) != (3, 64):
        raise ValueError(
            f"pretrained: the ImageNet weights are for in_channels=3 and width=64, got {first.in_channels} and "
            f"{first.out_channels}. Use pretrained=False."
        )
    classifier = load_classifier("vgg16_bn")
    theirs = classifier.features.state_dict()
    # Convolutions and normalisations in the same order, under other names.
    encoder.load_state_dict(dict(zip(encoder.state_dict(), theirs.values(), strict=True)))
    return classifier
