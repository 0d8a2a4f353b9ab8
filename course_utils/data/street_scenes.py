"""Street scenes: generated pictures of streets with exact masks and distances."""

import numpy as np
import torch

from course_utils.data.dataset import DepthMap, Transform
from course_utils.data.generated import GeneratedDataset
from course_utils.data.street.canvas import SKY_DEPTH
from course_utils.data.street.classes import CLASSES
from course_utils.data.street.layout import draw_scene
from course_utils.data.street.render import render


class StreetScenes(GeneratedDataset):
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
        super().__init__(split, size=size, length=length, seed=seed, transform=transform)
        self.depth = depth

    def read(self, index: int) -> tuple[torch.Tensor, ...]:
        draws = self.draws(index)
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
