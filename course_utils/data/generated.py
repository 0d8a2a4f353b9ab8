"""What the data sets have in common whose pictures are computed, not stored."""

import operator
from typing import Any, ClassVar

from course_utils.data.dataset import SegmentationDataset, Transform
from course_utils.data.random_bits import Draws

_SMALLEST, _LARGEST = 32, 2048


class GeneratedDataset(SegmentationDataset):
    """A data set without files: sample i is drawn from the seed, the split and i alone.

    split: "train", "val" or "test"; no sample is in two of them. size: (H, W), each from 32 to 2048. length: number of
    samples, by default 2000, 200 and 200; sample i does not depend on it. seed: another seed gives other samples.
    """

    lengths: ClassVar[dict[str, int]] = {"train": 2000, "val": 200, "test": 200}

    def __init__(
        self,
        split: str,
        *,
        size: tuple[int, int] = (96, 128),
        length: int | None = None,
        seed: int = 0,
        transform: Transform | None = None,
    ):
        super().__init__(split, transform=transform)
        self.size = _checked_size(size)
        self.length = _whole("length", self.lengths[split] if length is None else length, 0, 2**32)
        self.seed = _whole("seed", seed, 0, 2**64 - 1)

    def __len__(self) -> int:
        return self.length

    def draws(self, index: int) -> Draws:
        """The random numbers that sample `index` is made of."""
        return Draws(self.seed, stream=self.splits.index(self.split) << 48 | index)


def _checked_size(size: Any) -> tuple[int, int]:
    try:
        height, width = map(operator.index, size)
    except TypeError:
        raise TypeError(f"size: expected (height, width) in whole pixels, got {size!r}.") from None
    except ValueError:
        raise ValueError(f"size: expected two numbers, (height, width), got {size!r}.") from None
    return _whole("size[0]", height, _SMALLEST, _LARGEST), _whole("size[1]", width, _SMALLEST, _LARGEST)


def _whole(name: str, value: Any, low: int, high: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: expected a whole number, got {value!r}.") from None
    if not low <= number <= high:
        raise ValueError(f"{name}: expected a whole number from {low} to {high}, got {number}.")
    return number
