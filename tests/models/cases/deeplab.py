"""DeepLab v3. That of torchvision has its own test beside the paper's, in test_deeplabv3.py."""

from tests.models.zoo import Case, Count

CASES = [
    Case(
        name="deeplabv3",
        counts=(
            Count(39_048_533, 21),
            Count(58_040_661, 21, options={"backbone": "resnet101"}),
            Count(10_435_141, 21, options={"backbone": "mobilenet_v3_large"}),
            Count(5_670_677, 21, options={"backbone": "efficientnet_lite0"}),
            # Neither the output stride nor the multi-grid has weights. A class is a filter and a bias.
            Count(39_048_533, 21, options={"output_stride": 8, "multi_grid": (1, 1, 1)}),
            Count(39_048_533 - 13 * 257, 8),
            Count(39_048_533 + 2 * 64 * 49, 21, in_channels=5),
            # A second head: the first one's ASPP again, and one score instead of 21.
            Count(39_048_533 + 15_535_104 + 257, 21, options={"depth": True}),
        ),
        small={"backbone": "efficientnet_lite0", "output_stride": 8, "width": 32},
        train_size=(72, 104),
    ),
]
