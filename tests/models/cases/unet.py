"""U-Net, without padding as in the paper, and with it; the small ones that are compared.

Another class adds 64 weights and a bias; another channel adds 3 × 3 weights to each of 64 filters.
"""

from tests.models.zoo import Case, Count

CASES = [
    Case(
        "unet",
        (
            Count(31_030_658, 2, 1),
            Count(31_030_528 + 5 * 65, 5, 1),
            Count(31_030_658 + 2 * 576, 2, 3),
            Count(485_682, 2, 1, {"width": 8}),
        ),
        small={"width": 8},
        sizes=((188, 204), (220, 188), (236, 252)),
        output_size=lambda height, width: (height - 184, width - 184),
        train_size=(252, 268),
        lr=1e-3,
    ),
    Case(
        "unet",
        (Count(31_030_658, 2, 1, {"padding": "same"}), Count(31_031_810, 2, 3, {"padding": "same"})),
        small={"width": 8, "padding": "same"},
        sizes=((37, 51), (64, 96), (1, 70), (33, 16)),
    ),
    Case(
        "small_unets",
        (Count(144_570, 2, 1), Count(3 * 144_570, 2, 1, {"copies": 3}), Count(144_570 + 5 * 9, 3, 1)),
        sizes=((37, 51), (64, 96), (1, 70), (33, 16)),
        lr=1e-2,
    ),
]
