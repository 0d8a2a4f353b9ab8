"""PASCAL VOC 2012: photos with objects of 20 classes, the benchmark of the FCN and DeepLab papers."""

from pathlib import Path

import numpy as np
import torch

from course_utils.data.colour_map import colours_to_labels, palette_table
from course_utils.data.file_dataset import FileDataset, Pair
from course_utils.data.files import label_table, look_up, open_image, read_labels

_VOID = (224, 224, 192)


class Voc2012(FileDataset):
    """The segmentation part of VOC 2012: 1464, 1449 and 1456 images of many sizes, background and 20 classes, void 255.

    The names of a split stand in ImageSets/Segmentation/{train,val,test}.txt, the images are JPEGImages/NAME.jpg, the
    masks SegmentationClass/NAME.png. root: the folder with these three (or one that has them in VOC2012 or
    VOCdevkit/VOC2012, as the download unpacks); by default datasets/voc2012 in the cache.

    A mask is a palette image, whose indices are the labels; one that was converted to colours (mode RGB) is read by its
    colours; one saved in grey (mode L) by its values. The palette must be that of VOC: a program that saves images may
    have sorted its colours, and with them the indices, anew, and then the colours decide.

    The test images are a download of their own, for which one registers at the benchmark's server. Their labels are
    not public: the masks of test are void.

    Everingham et al., The PASCAL Visual Object Classes Challenge: A Retrospective, IJCV 2015.
    """

    name = "voc2012"
    classes = (
        "background",
        "aeroplane",
        "bicycle",
        "bird",
        "boat",
        "bottle",
        "bus",
        "car",
        "cat",
        "chair",
        "cow",
        "dining table",
        "dog",
        "horse",
        "motorbike",
        "person",
        "potted plant",
        "sheep",
        "sofa",
        "train",
        "tv monitor",
    )
    colours = (
        (0, 0, 0),
        (128, 0, 0),
        (0, 128, 0),
        (128, 128, 0),
        (0, 0, 128),
        (128, 0, 128),
        (0, 128, 128),
        (128, 128, 128),
        (64, 0, 0),
        (192, 0, 0),
        (64, 128, 0),
        (192, 128, 0),
        (64, 0, 128),
        (192, 0, 128),
        (64, 128, 128),
        (192, 128, 128),
        (0, 64, 0),
        (128, 64, 0),
        (0, 192, 0),
        (128, 192, 0),
        (0, 64, 128),
    )
    labels = label_table({**{label: label for label in range(21)}, 255: 255})
    label_of_colour = {**{colour: label for label, colour in enumerate(colours)}, _VOID: 255}

    def find(self) -> list[Pair]:
        lines = (self.root / "ImageSets" / "Segmentation" / f"{self.split}.txt").read_text(encoding="utf-8")
        images, masks = self.root / "JPEGImages", self.root / "SegmentationClass"
        return [
            Pair(images / f"{name}.jpg", masks / f"{name}.png" if self.labelled else None) for name in lines.split()
        ]

    def read_mask(self, path: Path) -> torch.Tensor:
        image = open_image(path)
        if image.mode == "RGB":
            return colours_to_labels(np.asarray(image), self.label_of_colour, path)
        if image.mode == "P":
            return look_up(np.asarray(image), palette_table(image, self.label_of_colour), path)
        return read_labels(path, self.labels)
