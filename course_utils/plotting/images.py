"""Photographs on axes: one image, a row of images, a box on an image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from course_utils.plotting.display import COLUMN_WIDTH, show
from course_utils.plotting.style import OKABE_ITO, subplots

_TITLE_HEIGHT = 26  # CSS pixels above every image


def to_numpy(array: Any) -> np.ndarray:
    """Return a NumPy view of a tensor (on any device, with or without gradient) or of anything array-like."""
    return array.detach().cpu().numpy() if hasattr(array, "detach") else np.asarray(array)


def as_rgb(image: Any) -> np.ndarray:
    """Return `image` as a (H, W, 3) uint8 array.

    A *tensor* is (3, H, W), (1, H, W) or (H, W); a *NumPy array* or PIL image is (H, W, 3), (H, W, 1) or
    (H, W). Values are uint8 in 0…255, or float in [0, 1], or bool.

    Raises `ValueError` for any other shape, for another integer type, and for values outside [0, 1] or NaN.

    >>> as_rgb(np.ones((2, 5))).shape
    (2, 5, 3)
    """
    is_tensor = hasattr(image, "detach")
    array = to_numpy(image)
    if is_tensor and array.ndim == 3:
        array = np.moveaxis(array, 0, -1)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[-1] not in (1, 3):
        kind, expected = ("a tensor", "(3, H, W)") if is_tensor else ("an array", "(H, W, 3)")
        shape = tuple(getattr(image, "shape", array.shape))
        raise ValueError(f"image is {kind} of shape {shape}; expected {expected}, one channel, or (H, W).")
    if array.dtype == bool:
        array = array.astype(np.float32)
    if np.issubdtype(array.dtype, np.floating):
        if not ((array >= 0) & (array <= 1)).all():
            raise ValueError(
                f"image has values from {array.min():.3g} to {array.max():.3g}; expected [0, 1] and no NaN. "
                "Undo the network's normalisation first, or draw scores with draw_heatmap."
            )
        array = np.rint(array * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        raise ValueError(f"image has type {array.dtype}; expected uint8 in 0…255 or float in [0, 1].")
    return np.broadcast_to(array, (*array.shape[:2], 3))


def draw_image(ax: Axes, image: Any, title: str | None = None) -> None:
    """Draw `image` (see `as_rgb`) on `ax` without ticks; pixel (row, column) is at x = column, y = row."""
    ax.imshow(as_rgb(image), interpolation="nearest")
    ax.set_axis_off()
    if title is not None:
        ax.set_title(title)


def show_images(
    images: Sequence[Any],
    titles: Sequence[str] | None = None,
    *,
    alt: str,
    columns: int | None = None,
    width: float = COLUMN_WIDTH,
) -> None:
    """Show images in a grid, with titles above them and one alternative text for the whole picture.

    images: each as `as_rgb` takes it, of any sizes. columns: images in a row (default: all, at most 5).
    width: of the whole picture, in CSS pixels.

    Raises `ValueError` if there is no image or not one title per image.
    """
    if len(images) == 0:
        raise ValueError("images is empty; give at least one image.")
    if titles is not None and len(titles) != len(images):
        raise ValueError(f"titles has {len(titles)} entries for {len(images)} images; give one each.")
    pictures = [as_rgb(image) for image in images]
    columns = columns or min(len(pictures), 5)
    rows = math.ceil(len(pictures) / columns)
    tallest = max(picture.shape[0] / picture.shape[1] for picture in pictures)
    height = rows * (tallest * width / columns + (_TITLE_HEIGHT if titles else 0))
    fig, axes = subplots(rows, columns, width=width, height=height, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for index, picture in enumerate(pictures):
        draw_image(axes.flat[index], picture, titles[index] if titles else None)
    show(fig, alt=alt)


def draw_box(
    ax: Axes,
    box: tuple[float, float, float, float],
    label: str | None = None,
    color: str = OKABE_ITO["vermillion"],
) -> None:
    """Draw a box on an image that `ax` already holds, with a light rim so that it shows on any photo.

    box: (top, left, bottom, right) in pixels, bottom and right exclusive, as `ReceptiveField.box` gives it.
    What lies outside the axes is not seen; an infinite side (global pooling) is drawn on the image's border.

    Raises `ValueError` if the box has no area.
    """
    right_limit, bottom_limit = ax.get_xlim()[1], ax.get_ylim()[0]
    top, left, bottom, right = (float(side) for side in box)
    if not (top < bottom and left < right):
        raise ValueError(f"box is {tuple(box)}; expected (top, left, bottom, right), top < bottom, left < right.")
    top, left = (-0.5 if math.isinf(side) else side - 0.5 for side in (top, left))
    bottom = bottom_limit if math.isinf(bottom) else bottom - 0.5
    right = right_limit if math.isinf(right) else right - 0.5
    rim = [withStroke(linewidth=4, foreground="white", alpha=0.8)]
    frame = Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=color, linewidth=2)
    frame.set_path_effects(rim)
    ax.add_patch(frame)
    if label is not None:
        text = ax.text(left, top, label, color=color, fontweight="bold", ha="left", va="bottom", clip_on=True)
        text.set_path_effects(rim)
