"""What the data sets that are read from files have in common."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch

from course_utils.data.catalogue import CATALOGUE
from course_utils.data.dataset import SegmentationDataset, Transform
from course_utils.data.files import read_image, read_labels
from course_utils.data.folders import require

_MODES = {1: "L", 3: "RGB"}


class Pair(NamedTuple):
    """An image file and its mask file; None where the labels are not public."""

    image: Path
    mask: Path | None


class FileDataset(SegmentationDataset):
    """A data set of the catalogue in its official layout below `root`, by default datasets/NAME in the cache.

    A split whose labels are not public has masks that are void everywhere, and `labelled` is False.

    Raises FileNotFoundError if the files are not there, ValueError if the split is empty. Reading a sample raises
    FileNotFoundError or ValueError with the name of the file that is missing, damaged or does not fit.

    A data set of (image, mask) files sets `name` and `labels` and writes `find`.
    """

    name: ClassVar[str]
    labels: ClassVar[np.ndarray]  # what the values in mask files stand for, see `label_table`

    def __init__(self, split: str, *, root: str | os.PathLike | None = None, transform: Transform | None = None):
        super().__init__(split, transform=transform)
        self.root = require(self.name, split, root)
        self.samples = self.find()
        if not self.samples:
            needs = " and ".join(str(self.root / part) for part in CATALOGUE[self.name].needs[split])
            raise ValueError(
                f"{self.name}: the split {split!r} is empty: {needs} list no image. Expected below the root: "
                f"{CATALOGUE[self.name].layout}."
            )

    @abstractmethod
    def find(self) -> list[Any]:
        """What `read` needs to know of each sample, in a fixed order: pairs of files, if not said otherwise."""

    @property
    def labelled(self) -> bool:
        return self.split not in CATALOGUE[self.name].unlabelled

    @property
    def count(self) -> int:
        """How much this split has, in the unit of the official counts."""
        return len(self)

    def __len__(self) -> int:
        return len(self.samples)

    def read(self, index: int) -> tuple[torch.Tensor, ...]:
        pair = self.samples[index]
        image = read_image(pair.image, _MODES[self.channels])
        return image, self.void(image) if pair.mask is None else self.read_mask(pair.mask)

    def read_mask(self, path: Path) -> torch.Tensor:
        """The labels in a mask file, int64 (H, W)."""
        return read_labels(path, self.labels)

    def void(self, image: torch.Tensor) -> torch.Tensor:
        """The mask of an image (C, H, W) without labels."""
        return torch.full(image.shape[1:], self.ignore_index)

    def source(self, index: int) -> str:
        pair = self.samples[index]
        return str(pair.image) if pair.mask is None else f"{pair.image} and {pair.mask}"


def images_in(folder: Path) -> list[Path]:
    """The .png, .jpg and .jpeg files of a folder by name. Raises ValueError for two images of the same name."""
    found = sorted(path for path in visible(folder.iterdir()) if path.suffix.lower() in (".png", ".jpg", ".jpeg"))
    by_name: dict[str, Path] = {}
    for path in found:
        if path.stem in by_name:
            raise ValueError(f"{by_name[path.stem]} and {path} are both there. Delete one of them.")
        by_name[path.stem] = path
    return found


def visible(paths: Iterable[Path]) -> list[Path]:
    """Those whose name does not begin with a dot; macOS puts a file "._NAME" beside each that it copies."""
    return [path for path in paths if not path.name.startswith(".")]
