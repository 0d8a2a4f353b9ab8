"""FCN on VGG16, AlexNet and GoogLeNet.

Another class adds a 1×1 filter and a bias to each scoring layer; another channel adds a layer to each first filter. The
deconvolutions are fixed, and no parameters. Padding, crops and ImageNet weights are tested in test_fcn_vgg.py and its
neighbour.
"""

from tests.models.zoo import Case, Count

SIZES = ((37, 51), (64, 96), (1, 70), (33, 8))


def counts(base: int, per_class: int, per_channel: int) -> tuple[Count, ...]:
    """base: parameters for 3 channels, without the scores."""
    return tuple(
        Count(base + classes * per_class + (channels - 3) * per_channel, classes, channels)
        for classes, channels in ((21, 3), (2, 3), (8, 5))
    )


def vgg16(name: str, scored: tuple[int, ...], **training) -> Case:
    """scored: channels of the maps that are scored."""
    return Case(
        name,
        counts(134_260_544, sum(channels + 1 for channels in scored), 64 * 9),
        small={"width": 4, "padding": "same", "batch_norm": True},
        sizes=SIZES,
        **training,
    )


ALEXNET = 96 * (3 * 121 + 1) + 256 * (48 * 25 + 1) + 384 * (256 * 9 + 1) + 384 * (192 * 9 + 1) + 256 * (192 * 9 + 1) + (
    4096 * (256 * 36 + 1) + 4096 * 4097
)
GOOGLENET = 6_998_552 - 1_025_000  # BVLC's network without its 1000 scores

CASES = [
    vgg16("fcn32s", (4096,), train_size=(160, 192)),  # units are 32 pixels apart
    vgg16("fcn16s", (4096, 512), train_size=(80, 96)),
    vgg16("fcn8s", (4096, 512, 256)),
    vgg16("fcn4s", (4096, 512, 256, 128)),
    vgg16("fcn2s", (4096, 512, 256, 128, 64)),
    Case("fcn_alexnet", counts(ALEXNET, 4097, 96 * 121), {"width": 12}, SIZES, train_size=(96, 128)),
    Case("fcn_googlenet", counts(GOOGLENET, 1025, 64 * 49), {"width": 8}, SIZES, train_size=(96, 128)),
    Case(
        "fcn_family",
        (Count(256_884, 8), Count(3 * 256_884, 8, options={"copies": 3})),
        sizes=SIZES,
        train_size=(80, 96),
    ),
]
