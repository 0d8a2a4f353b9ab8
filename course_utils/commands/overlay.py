"""A photo with what a network sees in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn

from course_utils.commands.recipe import normalized
from course_utils.data.checks import describe
from course_utils.data.dataset import SegmentationDataset
from course_utils.plotting import draw_overlay, subplots

_WIDTH = 900  # CSS pixels of the picture
_FLATTEST, _STEEPEST = 0.3, 1.5  # its height is at least and at most so many times its width
_WHITE = 65535  # of 16-bit grey


def read_photo(path: Path, channels: int) -> Tensor:
    """An image file of any kind as (channels, H, W) in [0, 1], grey for 1 channel, colours for 3.

    It is turned upright if the camera says how; transparency is left out.

    Raises FileNotFoundError for a missing file, ValueError for one that is no image or for other numbers of channels.
    """
    if channels not in (1, 3):
        raise ValueError(f"the network reads {channels} channels; `course predict` has photos, grey or colour.")
    if not path.is_file():
        raise FileNotFoundError(f"{path} is no file. Name an image, such as a PNG or a JPEG file.")
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file)
    except Exception as error:  # Pillow raises many kinds for damaged files
        cause = "of no known format" if isinstance(error, Image.UnidentifiedImageError) else str(error)
        raise ValueError(f"{path} is damaged or no image ({cause}). Use a PNG or JPEG file.") from error
    if image.mode.startswith("I"):  # 16-bit grey; `convert` would make white of all above 255
        values = np.array(image, dtype=np.int64)
        if values.min() >= 0 and values.max() <= _WHITE:
            return torch.from_numpy(values / _WHITE).float().expand(channels, -1, -1)
    if image.mode.startswith(("I", "F")):
        raise ValueError(f"{path}: expected 8 or 16 bits per channel, got {describe(image)}. Convert it first.")
    pixels = np.array(image.convert("L" if channels == 1 else "RGB"))
    return torch.from_numpy(pixels).reshape(*pixels.shape[:2], channels).permute(2, 0, 1) / 255


def segment(model: nn.Module, photo: Tensor) -> Tensor:
    """Class of each pixel, int64 (H, W), of a photo (C, H, W) in [0, 1]."""
    with torch.inference_mode():
        return model(normalized(photo)[None]).argmax(1)[0]


def write_overlay(photo: Tensor, mask: Tensor, kind: type[SegmentationDataset], to: Path) -> None:
    """Write the photo with the classes over it, and their legend; `to` ends in .png, .jpg, .pdf or .svg."""
    ratio = min(max(0.8 * photo.shape[1] / photo.shape[2], _FLATTEST), _STEEPEST)
    fig, ax = subplots(width=_WIDTH, height=_WIDTH * ratio)
    draw_overlay(ax, photo, mask, np.array(kind.colours, dtype=np.uint8), kind.classes)
    fig.savefig(to, dpi=144)


def shares(mask: Tensor, classes: tuple[str, ...]) -> list[tuple[str, float]]:
    """The classes in a mask with their shares of it, largest first.

    >>> shares(torch.tensor([[1, 1, 2, 1]]), ("sky", "road", "tree"))
    [('road', 0.75), ('tree', 0.25)]
    """
    parts = (torch.bincount(mask.flatten(), minlength=len(classes)) / mask.numel()).tolist()
    return sorted(((name, part) for name, part in zip(classes, parts, strict=True) if part), key=lambda pair: -pair[1])
