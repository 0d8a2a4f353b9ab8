"""A photo with what a network sees in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import nn

from course_utils.commands.recipe import Recipe, normalized
from course_utils.data.registry import dataset_class
from course_utils.plotting import draw_overlay, subplots

_WIDTH = 900  # CSS pixels of the picture


def save_overlay(recipe: Recipe, model: nn.Module, image: Path, to: Path) -> Iterator[str]:
    """Write the picture, and yield a line for each class found: its name and its share of the image.

    Raises ValueError for a file that is no image, FileNotFoundError for a missing one.
    """
    kind = dataset_class(recipe.data)
    if kind.channels not in (1, 3):
        raise ValueError(f"{recipe.data} has {kind.channels} channels; `course predict` reads photos, grey or colour.")
    try:
        with Image.open(image) as file:
            photo = np.array(file.convert("L" if kind.channels == 1 else "RGB"))
    except UnidentifiedImageError as error:
        raise ValueError(f"{image} is not an image that can be read. Use a PNG or JPEG file.") from error
    tensor = torch.from_numpy(photo).reshape(*photo.shape[:2], kind.channels).permute(2, 0, 1) / 255
    with torch.inference_mode():
        mask = model(normalized(tensor)[None]).argmax(1)[0]
    fig, ax = subplots(width=_WIDTH, height=_WIDTH * photo.shape[0] / photo.shape[1] * 0.8)
    draw_overlay(ax, tensor, mask, np.array(kind.colours, dtype=np.uint8), kind.classes)
    fig.savefig(to, dpi=144)
    shares = torch.bincount(mask.flatten(), minlength=len(kind.classes)) / mask.numel()
    for number in shares.argsort(descending=True).tolist():
        if shares[number] > 0:
            yield f"  {kind.classes[number]}: {shares[number]:.1%}"
