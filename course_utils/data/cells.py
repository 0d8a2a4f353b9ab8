"""Cells: generated microscope images of cells that touch, with a number for every cell."""

import numpy as np
import torch

from course_utils.data.dataset import InstanceMap, Transform
from course_utils.data.generated import GeneratedDataset
from course_utils.data.microscope.classes import CLASSES
from course_utils.data.microscope.layout import draw_slide
from course_utils.data.microscope.render import render


class Cells(GeneratedDataset):
    """Living cells under a microscope: grey images (1, H, W), background 0, cell 1, no void; no files, no downloads.

    split: "train", "val" or "test"; no picture is in two of them. size: (H, W), each from 32 to 2048: a larger picture
    shows more cells, not larger ones; 96 × 128 pixels hold about 15. length: number of pictures, by default 2000, 200
    and 200; picture i does not depend on it. seed: another seed gives other pictures. instances: give a third item, the
    number of the cell of every pixel, int64 (H, W), 0 for background, then 1, 2, … transform: called with image and
    mask (and instances).

    Cells are 12 to 30 pixels wide, grow in clumps and press against one another. In the instances they touch: no
    background lies between them. In the mask a line of background, one pixel wide, parts them, as Ronneberger et al.
    introduced it for the U-Net: of two neighbours (among 8) of different cells, the one with the lower number is
    background. So the pieces of the mask (8 neighbours) are the cells, one each, and counting them counts the cells.

    The same seed, split, index and size give the same bytes on every machine.
    """

    classes = CLASSES
    colours = ((0, 0, 0), (86, 180, 233))
    channels = 1

    def __init__(
        self,
        split: str,
        *,
        size: tuple[int, int] = (96, 128),
        length: int | None = None,
        seed: int = 0,
        instances: bool = False,
        transform: Transform | None = None,
    ):
        super().__init__(split, size=size, length=length, seed=seed, transform=transform)
        self.instances = instances

    def read(self, index: int) -> tuple[torch.Tensor, ...]:
        draws = self.draws(index)
        image, mask, ids = render(draw_slide(draws, *self.size), *self.size, draws)
        sample = (
            torch.from_numpy(np.divide(image, 255, dtype=np.float32))[None],  # (1, H, W)
            torch.from_numpy(mask.astype(np.int64)),
        )
        return (*sample, InstanceMap(torch.from_numpy(ids.astype(np.int64)))) if self.instances else sample
