"""The course's small network, and those of segmentation-models-pytorch.

Another class adds a filter and a bias to each scoring layer; another channel adds 3 × 3 weights to each first filter:
SmallFCN scores at four stages and has 16 such filters, the encoder has 32.
"""

from tests.models.zoo import Case, Count

SIZES = ((37, 51), (64, 96), (1, 70), (33, 8))


def counts(base: int, per_class: int, per_channel: int) -> tuple[Count, ...]:
    return Count(base, 8), Count(base + 3 * per_class, 11), Count(base + 2 * per_channel, 8, 5)


CASES = [
    Case("small_fcn", counts(295_952, 16 + 32 + 64 + 128 + 4, 16 * 9), sizes=SIZES),
    Case("smp_fpn", counts(3_429_768, 64 + 1, 32 * 9), sizes=SIZES, train_size=(96, 128)),
    Case("smp_unet", counts(3_833_224, 16 * 9 + 1, 32 * 9), sizes=SIZES, train_size=(96, 128)),
]
