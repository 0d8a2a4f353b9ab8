"""Cityscapes: streets of 50 cities from a car, 19 classes at 1024 x 2048 pixels."""

from pathlib import Path

import torch

from course_utils.data.file_dataset import FileDataset, Pair, visible
from course_utils.data.files import label_table, read_labels

_IMAGE, _IDS, _TRAIN_IDS = "_leftImg8bit.png", "_gtFine_labelIds.png", "_gtFine_labelTrainIds.png"
# The ids 0 to 33 of all classes that were labelled -> the 19 that are trained and scored; all others are void.
_TRAIN_ID = {
    7: 0, 8: 1, 11: 2, 12: 3, 13: 4, 17: 5, 19: 6, 20: 7, 21: 8, 22: 9,
    23: 10, 24: 11, 25: 12, 26: 13, 27: 14, 28: 15, 31: 16, 32: 17, 33: 18,
}  # fmt: skip


class Cityscapes(FileDataset):
    """Cityscapes with its fine labels: 2975, 500 and 1525 images of 1024 x 2048 pixels, 19 classes.

    The images are leftImg8bit/SPLIT/CITY/…_leftImg8bit.png, the masks gtFine/SPLIT/CITY/…_gtFine_labelIds.png, whose 34
    ids are mapped to the 19 of the benchmark, all others to 255. An image that has only …_gtFine_labelTrainIds.png (as
    the authors' scripts write it) is read from that. root: the folder with leftImg8bit and gtFine; by default
    datasets/cityscapes in the cache.

    The labels of test are not public (the files in gtFine/test are dummies): its masks are void, and predictions are
    scored by the benchmark's server.

    Cordts et al., The Cityscapes Dataset for Semantic Urban Scene Understanding, CVPR 2016.
    """

    name = "cityscapes"
    classes = (
        "road",
        "sidewalk",
        "building",
        "wall",
        "fence",
        "pole",
        "traffic light",
        "traffic sign",
        "vegetation",
        "terrain",
        "sky",
        "person",
        "rider",
        "car",
        "truck",
        "bus",
        "train",
        "motorcycle",
        "bicycle",
    )
    colours = (
        (128, 64, 128),
        (244, 35, 232),
        (70, 70, 70),
        (102, 102, 156),
        (190, 153, 153),
        (153, 153, 153),
        (250, 170, 30),
        (220, 220, 0),
        (107, 142, 35),
        (152, 251, 152),
        (70, 130, 180),
        (220, 20, 60),
        (255, 0, 0),
        (0, 0, 142),
        (0, 0, 70),
        (0, 60, 100),
        (0, 80, 100),
        (0, 0, 230),
        (119, 11, 32),
    )
    labels = label_table({**{label: 255 for label in range(34)}, **_TRAIN_ID})
    train_labels = label_table({**{label: label for label in range(19)}, 255: 255})

    def find(self) -> list[Pair]:
        images = sorted(visible((self.root / "leftImg8bit" / self.split).glob(f"*/*{_IMAGE}")))
        if not self.labelled:
            return [Pair(image, None) for image in images]
        folder = self.root / "gtFine" / self.split
        there = set(folder.glob("*/*_gtFine_label*Ids.png"))
        return [Pair(image, _mask_of(image, folder, there)) for image in images]

    def read_mask(self, path: Path) -> torch.Tensor:
        return read_labels(path, self.train_labels if path.name.endswith(_TRAIN_IDS) else self.labels)


def _mask_of(image: Path, folder: Path, there: set[Path]) -> Path:
    """The mask file of an image: that with the ids, unless only that with the train ids is there."""
    name = image.name.removesuffix(_IMAGE)
    ids, train_ids = (folder / image.parent.name / (name + ending) for ending in (_IDS, _TRAIN_IDS))
    return train_ids if train_ids in there and ids not in there else ids
