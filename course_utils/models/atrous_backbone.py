"""Classifiers as backbones (主干网络) with dense features: strides are taken out, and the weights spread to match."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from torch import nn

from course_utils.data.names import unknown
from course_utils.models.classifiers import load_classifier

BACKBONE_CHANNELS = {"resnet50": 2048, "resnet101": 2048, "mobilenet_v3_large": 960, "efficientnet_lite0": 320}
"""Channels of the last feature map, by name of the backbone."""

CLASSIFIER_STRIDE = 32  # of each of them


def atrous_backbone(
    name: str,
    output_stride: int = 16,
    *,
    multi_grid: Sequence[int] | None = None,
    in_channels: int = 3,
    pretrained: bool = False,
) -> nn.Sequential:
    """A classifier's convolutions at a finer output stride (输出步幅): (N, C, H, W) → (N, features, H/os, W/os).

    Weights and their shapes are those of the classifier, so its ImageNet weights fit. Where a stride was taken out, the
    later convolutions read the denser map at their old distance; see `limit_stride`.

    name: one of `BACKBONE_CHANNELS`. output_stride: 32 (the classifier's), 16 or 8. multi_grid: factors for the rates
    of the three units of a ResNet's last block, see `set_multi_grid`. in_channels: another number than 3 gives a new
    first convolution. pretrained: ImageNet weights.

    Raises ValueError for an unknown name, another output stride, a multi-grid where there is no such block, or
    pretrained weights for other than 3 channels.

    >>> backbone = atrous_backbone("mobilenet_v3_large", output_stride=8)
    >>> backbone[13].block[1][0].stride, backbone[14].block[1][0].dilation
    ((1, 1), (4, 4))
    """
    if name not in BACKBONE_CHANNELS:
        raise unknown("backbone", name, list(BACKBONE_CHANNELS))
    if output_stride not in (8, 16, 32):
        raise ValueError(f"output_stride: expected 8, 16 or 32, got {output_stride}.")
    if pretrained and in_channels != 3:
        raise ValueError(
            f"in_channels: the ImageNet weights are for 3 channels, got {in_channels}. Use pretrained=False."
        )
    layers = _layers(load_classifier(name, pretrained))
    limit_stride(_units(layers), output_stride)
    if multi_grid is not None:
        if "layer4" not in layers:
            raise ValueError(f"multi_grid: {name} has no last block of three units, as ResNets have. Leave it out.")
        set_multi_grid(layers["layer4"], CLASSIFIER_STRIDE // output_stride, multi_grid)
    backbone = nn.Sequential(layers)
    if in_channels != 3:
        _replace_first_convolution(backbone, in_channels)
    return backbone.train()


def limit_stride(units: Iterable[nn.Module], output_stride: int) -> None:
    """Change a chain of units, in place, so that its output stride is at most `output_stride`: exactly à trous.

    Each stride beyond the limit becomes 1. From there on the map is denser, by that factor, and every later
    convolution gets that factor in dilation and padding: it reads what it read before. The strided convolution itself
    keeps its rate, since it reads the map before its own stride. No weight changes. Every `factor`-th row and column of
    the new output is the old output.

    units: layers or blocks in the order in which they run; their strides must be those of convolutions, but for pooling
    before the limit is reached.

    Two kinds of layers don't see the denser map as they saw the old one. Squeeze-and-excitation (MobileNetV3) averages
    over the whole map: the mean of the denser one is another. Convolutions with TensorFlow's "SAME" padding
    (EfficientNet-Lite0) shift their grid by a pixel where the map's side is even.

    Raises ValueError if a pooling layer would have to lose its stride.

    >>> units = [nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.Conv2d(8, 8, 3, padding=1)]
    >>> limit_stride(units, 1)
    >>> [(unit.stride, unit.dilation, unit.padding) for unit in units]
    [((1, 1), (1, 1), (1, 1)), ((1, 1), (2, 2), (2, 2))]
    """
    stride, rate = 1, 1
    for unit in units:
        unit_stride = _stride(unit)
        if stride * unit_stride <= output_stride and rate == 1:
            stride *= unit_stride
            continue
        if unit_stride > 1 and any(isinstance(layer, nn.MaxPool2d | nn.AvgPool2d) for layer in unit.modules()):
            raise ValueError(
                f"units: stride {stride * unit_stride} comes from pooling, beyond the output stride {output_stride}. "
                "Only the strides of convolutions can be taken out without changing a weight."
            )
        rate_in_unit = rate
        for conv in unit.modules():
            if isinstance(conv, nn.Conv2d):
                conv.padding = tuple(rate_in_unit * side for side in conv.padding)
                if conv.kernel_size != (1, 1):
                    conv.dilation = tuple(rate_in_unit * side for side in conv.dilation)
                if conv.stride != (1, 1):
                    conv.stride = (1, 1)
                    rate_in_unit = rate * unit_stride
        rate *= unit_stride


def set_multi_grid(block: Iterable[nn.Module], rate: int, factors: Sequence[int]) -> None:
    """Give the 3×3 convolutions of a block's units the rates rate·factors, in place (Chen et al., 2017, section 3.2.1).

    rate: of the whole block, 32 / output stride.

    Raises ValueError if there is not one factor of 1 or more for each unit.
    """
    units = list(block)
    if len(factors) != len(units) or min(factors) < 1:
        raise ValueError(f"multi_grid: expected {len(units)} whole numbers of 1 or more, got {tuple(factors)}.")
    for unit, factor in zip(units, factors, strict=True):
        unit.conv2.dilation = unit.conv2.padding = (rate * factor, rate * factor)


def _layers(classifier: nn.Module) -> OrderedDict[str, nn.Module]:
    """The layers in front of the classifier's pooling, by their names."""
    if hasattr(classifier, "layer4"):  # ResNet
        names = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
        return OrderedDict((name, getattr(classifier, name)) for name in names)
    if hasattr(classifier, "features"):  # MobileNetV3
        return OrderedDict(classifier.features.named_children())
    blocks = {f"block{number}": block for number, block in classifier.blocks.named_children()}  # EfficientNet-Lite0
    return OrderedDict(conv_stem=classifier.conv_stem, bn1=classifier.bn1, **blocks)


def _units(layers: OrderedDict[str, nn.Module]) -> list[nn.Module]:
    """Layers and residual units in the order in which they run."""
    units = []
    for name, layer in layers.items():
        units += list(layer) if name.startswith(("layer", "block")) else [layer]
    return units


def _stride(unit: nn.Module) -> int:
    """How much a layer or residual unit subsamples; its branches agree."""
    strides = [1]
    for layer in unit.modules():
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
            strides.append(layer.stride if isinstance(layer.stride, int) else layer.stride[0])
    return max(strides)


def _replace_first_convolution(backbone: nn.Sequential, in_channels: int) -> None:
    name, conv = next((name, layer) for name, layer in backbone.named_modules() if isinstance(layer, nn.Conv2d))
    new = type(conv)(in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding, bias=False)
    nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")
    backbone.set_submodule(name, new)
