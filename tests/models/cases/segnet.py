"""SegNet, SegNet-Basic, DeconvNet, and the small networks that compare ways up.

A width w other than 64, for SegNet: 9·(3w + 399w²) weights, 66w biases and 132w numbers of batch normalisation in the
encoder, 9·399w² + 58w + 116w in the decoder, and (9w + 1)·K for the scores.

Rounding decides which of two all but equal values is a window's maximum, so outputs are compared in float64.
"""

from tests.models.zoo import Case, Count

CASES = [
    Case(
        "segnet",
        (
            Count(29_449_355, 11),
            Count(29_443_008 + 577 * 2, 2),
            Count(29_449_355 + 2 * 576, 11, 5),
            Count(9 * (24 + 399 * 64) + 198 * 8 + 9 * 399 * 64 + 174 * 8 + 73 * 8, 8, 3, {"width": 8}),
        ),
        small={"width": 8},
        sizes=((37, 51), (64, 96), (1, 70), (33, 80)),
        train_size=(64, 96),
        lr=1e-2,
        double=True,
    ),
    Case(
        "segnet_basic",
        (
            Count(1_416_587, 11),
            Count(1_415_872 + 65 * 2, 2),
            Count(1_416_587 + 2 * 49 * 64, 11, 5),
            Count(49 * (3 + 7 * 8) * 8 + 8 * 8 + 16 * 8 + 9 * 4, 4, 3, {"width": 8}),
        ),
        small={"width": 6},
        sizes=((37, 51), (64, 96), (1, 70), (33, 16)),
        lr=1e-2,
        double=True,
    ),
    Case(
        "deconvnet",
        (
            Count(251_805_653, 21),
            Count(251_804_288 + 65 * 2, 2),
            Count(251_805_653 + 2 * 576, 21, 5),
        ),
        small={"width": 8, "fc_width": 32, "fc_size": 2},
        sizes=((37, 51), (64, 96), (33, 80)),
        train_size=(64, 96),
        lr=1e-2,
        double=True,
    ),
    Case(
        "ways_up",
        (Count(132_190, 8), Count(3 * 132_190, 8, options={"copies": 3})),
        sizes=((37, 51), (64, 96), (1, 70), (33, 16)),
        lr=1e-2,
        double=True,
    ),
]
