"""A map of scores, upsampled over the image that it was computed from."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes

from course_utils.plotting.images import as_rgb, to_numpy

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601: how bright red, green and blue look


def draw_heatmap(
    ax: Axes,
    scores: Any,
    image: Any | None = None,
    *,
    label: str,
    box: tuple[float, float, float, float] | None = None,
    limits: tuple[float, float] | None = None,
    interpolation: Literal["bilinear", "nearest"] = "bilinear",
    alpha: float = 0.6,
) -> None:
    """Draw the (h, w) map `scores` on `ax` with a colour bar; over `image` (see `as_rgb`), made
    grey so that only scores have colour, if one is given.

    label: what the colour bar measures, with its unit, such as "score of 'tabby' (logit)".
    box: (top, left, bottom, right), the pixels of the image that the map covers (default: the whole image).
    limits: the scores at the two ends of the colour bar (default: the smallest and largest finite score).
    interpolation: "bilinear" upsamples; "nearest" shows every score as a cell of its own.
    alpha: how opaque the map is over the image.

    Raises `ValueError` if `scores` is not two-dimensional or has no finite value.
    """
    values = to_numpy(scores).astype(np.float32)
    if values.ndim != 2:
        raise ValueError(f"scores has shape {values.shape}; expected (h, w), one class: scores[index].")
    if not np.isfinite(values).any():
        raise ValueError(f"scores has no finite value among its {values.size}; there is nothing to draw.")
    low, high = limits or (values[np.isfinite(values)].min(), values[np.isfinite(values)].max())
    height, width = values.shape if image is None else as_rgb(image).shape[:2]
    top, left, bottom, right = box or (0, 0, height, width)
    if image is not None:
        ax.imshow(as_rgb(image) @ _LUMA, cmap="gray", vmin=0, vmax=255)
    heat = ax.imshow(
        values,
        cmap="viridis",
        vmin=low,
        vmax=high,
        alpha=1.0 if image is None else alpha,
        interpolation=interpolation,
        extent=(left - 0.5, right - 0.5, bottom - 0.5, top - 0.5),
    )
    ax.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    ax.set_axis_off()
    ax.figure.colorbar(heat, cax=ax.inset_axes([1.03, 0, 0.04, 1]), label=label)
