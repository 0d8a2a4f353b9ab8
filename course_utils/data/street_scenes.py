"""Street scenes: generated pictures of streets with exact masks and distances."""

import operator
from typing import Any

import numpy as np
import torch

from course_utils.data.dataset import DepthMap, SegmentationDataset, Transform
from course_utils.data.random_bits import Draws
from course_utils.data.street.canvas import SKY_DEPTH
from course_utils.data.street.classes import CLASSES
from course_utils.data.street.layout import draw_scene
from course_utils.data.street.render import render

_LENGTHS = {"train": 2000, "val": 200, "test": 200}
_SMALLEST, _LARGEST = 32, 2048


class StreetScenes(SegmentationDataset):
    """Streets with houses, trees, cars, people and poles in many kinds of weather; no files, no downloads.

    split: "train", "val" or "test"; no scene is in two of them. size: (H, W), each from 32 to 2048: a larger picture
    shows the same street in more detail. length: number of scenes, by default 2000, 200 and 200; scene i does not
    depend on it. seed: another seed gives other streets. depth: give a third item, the distances in metres, float32
    (H, W), infinite in the sky. transform: called with image and mask (and depth).

    Void is one pixel wide and lies just outside of what is in front, where a camera mixes two colours: a pole that is
    one pixel wide keeps its pixels. Cars, people, trees and poles have one distance each, that of their nearest
    point; ground and walls have one per pixel.

    The same seed, split, index and size give the same bytes on every machine.
    """

    classes = CLASSES
    # Told apart with normal, red-blind and green-blind eyes and in grey print.
    colours = (
        (120, 181, 242),
        (150, 110, 146),
        (66, 66, 72),
        (236, 194, 184),
        (36, 98, 42),
        (244, 116, 8),
        (255, 252, 64),
        (45, 0, 96),
    )

    def __init__(
        self,
        split: str,
        *,
        size: tuple[int, int] = (96, 128),
        length: int | None = None,
        seed: int = 0,
        depth: bool = False,
        transform: Transform | None = None,
    ):
        super().__init__(split, transform=transform)
        self.size = _checked_size(size)
        self.length = _whole("length", _LENGTHS[split] if length is None else length, 0, 2**32)
        self.seed = _whole("seed", seed, 0, 2**64 - 1)
        self.depth = depth

    def __len__(self) -> int:
        return self.length

    def read(self, index: int) -> tuple[torch.Tensor, ...]:
        draws = Draws(self.seed, stream=self.splits.index(self.split) << 48 | index)
        image, mask, depth = render(draw_scene(draws), *self.size, draws)
        sample = (
            torch.from_numpy(np.divide(image, 255, dtype=np.float32)),
            torch.from_numpy(mask.astype(np.int64)),
        )
        if not self.depth:
            return sample
        metres = np.divide(depth, 1000, dtype=np.float32)
        metres[depth == SKY_DEPTH] = np.inf
        return *sample, DepthMap(torch.from_numpy(metres))


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
