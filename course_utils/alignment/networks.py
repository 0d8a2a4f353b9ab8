"""The layers of known networks, as far as they move or space units: no 1×1 convolution, nothing element-wise."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from course_utils.alignment.layers import IMAGE, Layer
from course_utils.data.names import unknown

PADDINGS = ("paper", "same")


def network(name: str, padding: str = "paper") -> list[Layer]:
    """The layers of one of `NETWORKS`, from the image to its mask.

    Args:
        name: one of `NETWORKS`.
        padding: "paper": as published. "same": each convolution keeps the size, so that no join needs a crop (for
            sizes that all pools halve); FCNs on VGG16, and the U-Net.

    Raises:
        ValueError: unknown name or padding, or a network that has no such form.

    >>> from course_utils.alignment import crops
    >>> crops(network("fcn8s"), 500)
    {'pool4': 5, 'pool3': 9, 'image': 31}
    >>> crops(network("fcn8s", padding="same"), 512)
    {'pool4': 0, 'pool3': 0, 'image': 0}
    >>> crops(network("unet"), 572)
    {'conv4': 4, 'conv3': 16, 'conv2': 40, 'conv1': 88, 'image': 92}
    """
    if name not in NETWORKS:
        raise unknown("network", name, NETWORKS)
    if padding not in PADDINGS:
        raise unknown("padding", padding, PADDINGS)
    if padding == "same" and name not in WITH_SAME:
        raise ValueError(f"network {name!r} has no form with padding 'same'; those that have: {', '.join(WITH_SAME)}")
    return NETWORKS[name](same=True) if padding == "same" else NETWORKS[name]()


def fcn_vgg16(output_stride: int, same: bool = False) -> list[Layer]:
    """FCN-32s … FCN-2s (Long, Shelhamer & Darrell, 2015): padding 100, VGG16, and a doubling for each skip."""
    layers = []
    for block, convs in enumerate((2, 2, 3, 3, 3), 1):
        for number in range(1, convs + 1):
            padding = 100 if (block, number) == (1, 1) and not same else 1
            layers.append(Layer(f"conv{block}_{number}", "conv", 3, padding=padding))
        layers.append(Layer(f"pool{block}", "pool", 2, 2, ceil_mode=True))
    layers.append(Layer("fc6", "conv", 7, padding=3 if same else 0))
    stride, pool = 32, 4
    while stride > output_stride:
        layers.append(Layer(f"up_pool{pool}", "deconv", 4, 2, padding=1 if same else 0))
        layers.append(Layer(f"sum_pool{pool}", "join", source=f"pool{pool}"))
        stride, pool = stride // 2, pool - 1
    layers.append(Layer("upscore", "deconv", 2 * stride, stride, padding=stride // 2 if same else 0))
    return [*layers, Layer("score", "join", source=IMAGE)]


def fcn_alexnet() -> list[Layer]:
    """FCN on AlexNet: all pools overlap, and the kernel that undoes them is odd, 63 and not 64."""
    return [
        Layer("conv1", "conv", 11, 4, padding=100),
        Layer("pool1", "pool", 3, 2, ceil_mode=True),
        Layer("conv2", "conv", 5, padding=2),
        Layer("pool2", "pool", 3, 2, ceil_mode=True),
        *(Layer(f"conv{number}", "conv", 3, padding=1) for number in (3, 4, 5)),
        Layer("pool5", "pool", 3, 2, ceil_mode=True),
        Layer("fc6", "conv", 6),
        Layer("upscore", "deconv", 63, 32),
        Layer("score", "join", source=IMAGE),
    ]


def fcn_googlenet() -> list[Layer]:
    """FCN on GoogLeNet without its last average pool; of each inception block the 5×5 convolution, its widest."""
    layers = [
        Layer("conv1", "conv", 7, 2, padding=100),
        Layer("pool1", "pool", 3, 2, ceil_mode=True),
        Layer("conv2", "conv", 3, padding=1),
        Layer("pool2", "pool", 3, 2, ceil_mode=True),
    ]
    for block, letters in ((3, "ab"), (4, "abcde"), (5, "ab")):
        layers += [Layer(f"inception{block}{letter}", "conv", 5, padding=2) for letter in letters]
        if block < 5:
            layers.append(Layer(f"pool{block}", "pool", 3, 2, ceil_mode=True))
    return [*layers, Layer("upscore", "deconv", 63, 32), Layer("score", "join", source=IMAGE)]


def unet(same: bool = False) -> list[Layer]:
    """U-Net (Ronneberger, Fischer & Brox, 2015): two convolutions without padding on each level, cropped skips."""
    padding = 1 if same else 0

    def two_convs(first: str, second: str) -> list[Layer]:
        return [Layer(name, "conv", 3, padding=padding) for name in (first, second)]

    layers = []
    for level in range(1, 5):
        layers += two_convs(f"conv{level}_1", f"conv{level}")
        layers.append(Layer(f"pool{level}", "pool", 2, 2))
    layers += two_convs("conv5_1", "conv5")
    for level in range(4, 0, -1):
        layers.append(Layer(f"up{level}", "deconv", 2, 2))
        layers.append(Layer(f"concat{level}", "join", source=f"conv{level}"))
        layers += two_convs(f"decode{level}_1", f"decode{level}")
    return [*layers, Layer("score", "join", source=IMAGE)]


NETWORKS: dict[str, Callable[..., list[Layer]]] = {
    "fcn32s": partial(fcn_vgg16, 32),
    "fcn16s": partial(fcn_vgg16, 16),
    "fcn8s": partial(fcn_vgg16, 8),
    "fcn4s": partial(fcn_vgg16, 4),
    "fcn2s": partial(fcn_vgg16, 2),
    "fcn_alexnet": fcn_alexnet,
    "fcn_googlenet": fcn_googlenet,
    "unet": unet,
}
WITH_SAME = ("fcn32s", "fcn16s", "fcn8s", "fcn4s", "fcn2s", "unet")
"""Those of `NETWORKS` that also have a form with padding "same"."""
