"""Masks in colours, and what labels the colours stand for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from course_utils.data.files import label_table

Colour = tuple[int, int, int]


def colours_to_labels(colours: np.ndarray, label_of_colour: Mapping[Colour, int], path: Path) -> torch.Tensor:
    """The labels int64 (H, W) of a mask in colours, uint8 (H, W, 3).

    Raises ValueError, which names the file `path`, for a colour that is not in the map.

    >>> mask = np.array([[[0, 0, 0], [128, 0, 0]]], dtype=np.uint8)
    >>> colours_to_labels(mask, {(0, 0, 0): 0, (128, 0, 0): 1}, Path("mask.png")).tolist()
    [[0, 1]]
    """
    known = np.array(list(label_of_colour), dtype=np.int64)
    labels = np.array(list(label_of_colour.values()), dtype=np.int64)
    order = np.argsort(_code(known))
    codes, labels = _code(known)[order], labels[order]
    wanted = _code(colours)
    places = np.minimum(np.searchsorted(codes, wanted), len(codes) - 1)
    wrong = codes[places] != wanted
    if wrong.any():
        shown = [tuple(colour) for colour in np.unique(colours[wrong], axis=0)[:5].tolist()]
        raise ValueError(
            f"{path}: {int(wrong.sum())} pixels have colours that stand for no class, such as "
            f"{', '.join(map(str, shown))}. Use the official mask: this one was saved with loss, was resized with "
            "interpolation, or has the colours of another data set."
        )
    return torch.from_numpy(labels[places])


def palette_table(image: Image.Image, label_of_colour: Mapping[Colour, int]) -> np.ndarray:
    """For `look_up`: the label of each index of a palette image (mode P), by its colour in the palette."""
    palette = np.reshape(image.getpalette("RGB"), (-1, 3)).tolist()
    labels = {index: label_of_colour.get(tuple(colour)) for index, colour in enumerate(palette)}
    return label_table({index: label for index, label in labels.items() if label is not None})


def _code(colours: np.ndarray) -> np.ndarray:
    """One number for each colour, (…, 3) -> (…)."""
    red, green, blue = np.moveaxis(colours.astype(np.int64), -1, 0)
    return red << 16 | green << 8 | blue
