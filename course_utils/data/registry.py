"""The data sets of the course by name. A new one is a file with a `SegmentationDataset` and a line here."""

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any

from course_utils.data.names import unknown

if TYPE_CHECKING:
    from course_utils.data.dataset import SegmentationDataset

# name -> (module, class); a module is imported when its data set is asked for
_DATASETS = {
    "camvid": ("course_utils.data.camvid", "CamVid"),
    "cityscapes": ("course_utils.data.cityscapes", "Cityscapes"),
    "isbi2012": ("course_utils.data.isbi2012", "Isbi2012"),
    "isles": ("course_utils.data.isles", "Isles"),
    "tianchi_buildings": ("course_utils.data.tianchi_buildings", "TianchiBuildings"),
    "voc2012": ("course_utils.data.voc2012", "Voc2012"),
    "cells": ("course_utils.data.cells", "Cells"),
    "street_scenes": ("course_utils.data.street_scenes", "StreetScenes"),
}


def list_datasets() -> list[str]:
    """Names that `load_dataset` knows."""
    return sorted(_DATASETS)


def load_dataset(name: str, split: str, **options: Any) -> "SegmentationDataset":
    """Load the `split` ("train", "val" or "test") of the data set `name`.

    Options differ by data set, see its class; all take `transform`, called with (image, mask), and those that are read
    from files take `root`, the folder that holds them (by default datasets/NAME in the cache).

    Raises ValueError for a name or split that does not exist, TypeError for an option that the data set lacks, and
    FileNotFoundError, which says how to get them, where the files are not there.

    >>> dataset = load_dataset("street_scenes", "val")
    >>> image, mask = dataset[0]
    >>> tuple(image.shape), tuple(mask.shape)
    ((3, 96, 128), (96, 128))
    """
    kind = dataset_class(name)
    if split not in kind.splits:
        raise unknown(f"split of {name}", split, kind.splits)
    known = [option for option in inspect.signature(kind).parameters if option != "split"]
    for option in options:
        if option not in known:
            raise TypeError(str(unknown(f"option of {name}", option, known)))
    return kind(split, **options)


def dataset_class(name: str) -> "type[SegmentationDataset]":
    """The class behind a name: its `classes`, `colours`, `channels` and `splits` are there without any file.

    Raises ValueError for a name that does not exist.
    """
    if name not in _DATASETS:
        raise unknown("data set", name, list_datasets())
    module, class_name = _DATASETS[name]
    return getattr(import_module(module), class_name)
