"""Image files and mask files as tensors; what is damaged or of another kind is refused, by its name."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from course_utils.data.checks import describe

_NO_LABEL = -1  # in a label table: a value that must not stand in a mask
_KINDS = {"RGB": "a colour image (mode RGB)", "L": "a grey image (mode L)"}


def read_image(path: Path, mode: str = "RGB") -> torch.Tensor:
    """The image as float32 (3, H, W) for mode "RGB", (1, H, W) for "L", in [0, 1].

    Raises FileNotFoundError; ValueError for a damaged file or an image of another mode.
    """
    image = open_image(path)
    if image.mode != mode:
        raise ValueError(
            f"{path}: expected {_KINDS[mode]}, got {describe(image)}. Use the official file; an image of your own "
            f"can be saved with image.convert({mode!r})."
        )
    pixels = torch.from_numpy(np.array(image)).reshape(image.height, image.width, -1).permute(2, 0, 1)
    return pixels.to(torch.float32, memory_format=torch.contiguous_format).div_(255)


def read_labels(path: Path, table: np.ndarray) -> torch.Tensor:
    """A mask whose pixel values (grey or palette indices) stand for labels, as int64 (H, W).

    table: see `label_table`. Raises FileNotFoundError; ValueError for a damaged file, a colour image or a value that
    stands for no label.
    """
    image = open_image(path)
    if image.mode not in ("L", "P"):
        raise ValueError(
            f"{path}: expected a mask with one 8-bit number per pixel (mode L or P), got {describe(image)}. "
            "Use the official file."
        )
    return look_up(np.asarray(image), table, path)


def label_table(labels: Mapping[int, int]) -> np.ndarray:
    """A table for `look_up`, int64 (256,), from what each pixel value that may occur stands for.

    >>> label_table({0: 0, 255: 1})[[0, 255]].tolist()  # a black-and-white mask
    [0, 1]
    """
    table = np.full(256, _NO_LABEL, dtype=np.int64)
    table[list(labels)] = list(labels.values())
    return table


def look_up(values: np.ndarray, table: np.ndarray, path: Path) -> torch.Tensor:
    """Labels int64 (H, W) of pixel values uint8 (H, W). Raises ValueError for values that stand for none."""
    mask = table[values]
    if mask.min() < 0:
        wrong = values[mask < 0]
        known = np.flatnonzero(table >= 0)
        raise ValueError(
            f"{path}: the values {_shown(np.unique(wrong))} in {wrong.size} pixels stand for no class; expected "
            f"{_shown(known)}. Use the official mask: it is another version, was saved with loss, or was resized "
            "with interpolation."
        )
    return torch.from_numpy(mask)


def open_image(path: Path) -> Image.Image:
    """The decoded image. Raises FileNotFoundError, and ValueError if the file is damaged or no image."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is missing. Copy it there from the download, or unpack that again.") from None
    try:
        image = Image.open(BytesIO(data))
        image.load()
    except Exception as error:  # Pillow raises many kinds for damaged files
        raise ValueError(
            f"{path} is damaged or no image ({str(error) or type(error).__name__}). Copy it from the download again."
        ) from error
    return image


def _shown(values: np.ndarray) -> str:
    """Whole numbers in order, runs of them as "0 to 11", at most eight parts."""
    runs = np.split(values, np.flatnonzero(np.diff(values) != 1) + 1)
    parts = [f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return ", ".join(parts[:8]) + (", …" if len(parts) > 8 else "")
