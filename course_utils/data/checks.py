"""The check that every sample passes on its way in: what came, what was expected, what to do."""

from typing import Any

import numpy as np
import torch
from PIL import Image

_MODES = {
    "P": "palette indices, not colours",
    "L": "grey",
    "LA": "grey with transparency",
    "RGBA": "colours with transparency",
    "1": "black and white",
    "I": "whole numbers",
    "I;16": "16-bit grey",
    "F": "decimal numbers",
    "CMYK": "printing colours",
}


def check_sample(
    image: torch.Tensor, mask: torch.Tensor, num_classes: int, ignore_index: int = 255, *, channels: int = 3
) -> None:
    """Check that image is float32 (channels, H, W) in [0, 1] and mask int64 (H, W) with labels 0 to num_classes - 1.

    `ignore_index` may stand in the mask as well. Raises TypeError for a wrong type of object or number and
    ValueError for a wrong shape or value; the message names the argument, what came and the fix.

    >>> check_sample(torch.zeros(3, 4, 6), torch.full((4, 6), 255), num_classes=2)
    """
    _check_image(image, channels)
    _check_mask(mask, num_classes, ignore_index)
    if mask.shape != image.shape[1:]:
        raise ValueError(
            f"mask: its size {_size(mask)} is not that of the image, {_size(image)}. Use the mask that belongs to "
            "the image; resize a mask by nearest neighbour only, so that no new labels appear."
        )


def describe(value: Any) -> str:
    """What a value is, in a few words: for error messages."""
    if isinstance(value, Image.Image):
        note = f" ({_MODES[value.mode]})" if value.mode in _MODES else ""
        return f"a PIL image of mode {value.mode!r}{note}"
    if isinstance(value, np.ndarray):
        return f"a NumPy array of shape {value.shape} and type {value.dtype}"
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)} and type {str(value.dtype).removeprefix('torch.')}"
    return f"{type(value).__name__} {value!r:.60}"


def _check_image(image: torch.Tensor, channels: int) -> None:
    expected = f"image: expected a float32 tensor of shape ({channels}, H, W) with values in [0, 1]"
    if not isinstance(image, torch.Tensor) or image.dtype != torch.float32:
        raise TypeError(f"{expected}, got {describe(image)}. {_image_fix(image)}")
    if image.ndim != 3 or image.shape[0] != channels:
        raise ValueError(f"{expected}, got {describe(image)}. {_channel_fix(image, channels)}")
    if image.numel() == 0:
        raise ValueError(f"{expected}, got {describe(image)}: it has no pixels.")
    low, high = image.aminmax()  # NaN if any value is
    if not (low >= 0 and high <= 1):
        broken = int((~torch.isfinite(image)).sum())
        if broken:
            raise ValueError(
                f"{expected}, got {broken} values that are NaN or infinite. Look for a division by zero or a "
                "damaged file; drop the sample or mend it with torch.nan_to_num."
            )
        raise ValueError(
            f"{expected}, got values from {low:g} to {high:g}. Divide 8-bit values by 255; normalise in a "
            "transform, after this check."
        )


def _image_fix(image: Any) -> str:
    if isinstance(image, Image.Image):
        convert = "" if image.mode == "RGB" else "First image = image.convert('RGB'). "
        return f"{convert}Then torchvision.transforms.v2.functional.pil_to_tensor(image) / 255."
    if isinstance(image, np.ndarray):
        return "Use torch.from_numpy(image), permute (H, W, C) to (C, H, W), and divide 8-bit values by 255."
    if isinstance(image, torch.Tensor):
        return "Divide 8-bit values by 255, or use image.float() if the values are in [0, 1] already."
    return "Turn it into a tensor first."


def _channel_fix(image: torch.Tensor, channels: int) -> str:
    if image.ndim == 2 or (image.ndim == 3 and image.shape[0] == 1):
        return f"A grey image becomes RGB with image.expand({channels}, -1, -1)."
    if image.ndim == 3 and image.shape[2] == channels:
        return "The channels come last: use image.permute(2, 0, 1)."
    if image.ndim == 3 and image.shape[0] == 4:
        return "Is the fourth channel transparency? Drop it with image[:3]."
    if image.ndim == 4:
        return "Give one image at a time, not a batch."
    return f"This data set has {channels} channels."


def _check_mask(mask: torch.Tensor, num_classes: int, ignore_index: int) -> None:
    expected = "mask: expected an int64 tensor of shape (H, W)"
    if not isinstance(mask, torch.Tensor) or mask.dtype != torch.int64:
        raise TypeError(f"{expected}, got {describe(mask)}. {_mask_fix(mask)}")
    if mask.ndim != 2:
        fix = "Use mask.squeeze(0)." if mask.ndim == 3 and mask.shape[0] == 1 else "Give one label per pixel."
        raise ValueError(f"{expected}, got {describe(mask)}. {fix}")
    wrong = ((mask < 0) | (mask >= num_classes)) & (mask != ignore_index)
    if wrong.any():
        labels = torch.unique(mask[wrong]).tolist()
        shown = ", ".join(map(str, labels[:8])) + (", …" if len(labels) > 8 else "")
        raise ValueError(
            f"mask: labels must be 0 to {num_classes - 1}, or {ignore_index} for void; got {shown} in "
            f"{int(wrong.sum())} pixels. Map the labels of the files to the classes, or use {ignore_index} for "
            "what no class covers."
        )


def _mask_fix(mask: Any) -> str:
    if isinstance(mask, Image.Image):
        if mask.mode in ("P", "L"):
            return "Use torch.from_numpy(numpy.array(mask)).long(): do not convert it to RGB."
        return "A mask holds one label per pixel; look the labels of its colours up first."
    if isinstance(mask, np.ndarray):
        return "Use torch.from_numpy(mask).long()."
    if isinstance(mask, torch.Tensor):
        return "Use mask.long(), if all its values are whole labels."
    return "Turn it into a tensor first."


def _size(tensor: torch.Tensor) -> str:
    return " x ".join(map(str, tensor.shape[-2:]))
