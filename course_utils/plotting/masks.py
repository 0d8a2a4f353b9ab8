"""Label maps that can be read without colour: outlines where classes touch, hatched void, names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path
from matplotlib.patheffects import withStroke
from scipy import ndimage

from course_utils.plotting.images import as_rgb, to_numpy

VOID_COLOR = (230, 230, 230)
_HATCH = {"hatch": "//////", "edgecolor": "#555555", "linewidth": 0}
_OUTLINE_WIDTHS = ([0.15, 0.6], [0.7, 0.15])  # points, thinner where boundaries crowd: they must not hide the colours
_LABEL_ROOM = 1 / 14  # a name needs a disc of this share of the image's width


def draw_mask(
    ax: Axes,
    mask: Any,
    palette: Any,
    classes: Sequence[str],
    title: str | None = None,
    *,
    ignore_index: int = 255,
    legend: bool = True,
) -> None:
    """Draw the label map `mask` on `ax`: a colour per class, a line wherever two labels touch, void hatched.

    mask: (H, W) integers in 0…K-1, or `ignore_index` (void). palette: (K, 3) uint8. classes: K names.
    legend: name the classes that occur, at the right of the map.

    Raises `ValueError` if the mask is not (H, W), palette and classes disagree, or a label is unknown.
    """
    labels = _check(mask, palette, classes, ignore_index)
    ax.imshow(_colored(labels, palette, ignore_index), interpolation="nearest")
    _finish(ax, labels, palette, classes, title, ignore_index, legend)


def draw_overlay(
    ax: Axes,
    image: Any,
    mask: Any,
    palette: Any,
    classes: Sequence[str],
    title: str | None = None,
    *,
    ignore_index: int = 255,
    alpha: float = 0.5,
    legend: bool = True,
) -> None:
    """Draw `image` (see `as_rgb`) with the label map `mask` over it, as opaque as `alpha`; see `draw_mask`.

    Void shows the bare image under its hatching. Raises `ValueError` also if mask and image differ in size.
    """
    labels = _check(mask, palette, classes, ignore_index)
    photo = as_rgb(image)
    if photo.shape[:2] != labels.shape:
        raise ValueError(f"mask is {labels.shape} (H, W) but image is {photo.shape[:2]}; resize one (a mask: nearest).")
    colors = _colored(labels, palette, ignore_index)
    opacity = np.where(labels == ignore_index, 0.0, alpha)[..., None]
    blend = (1 - opacity) * photo + opacity * colors
    ax.imshow(np.rint(blend).astype(np.uint8), interpolation="nearest")
    _finish(ax, labels, palette, classes, title, ignore_index, legend)


def label_regions(ax: Axes, mask: Any, classes: Sequence[str], *, ignore_index: int = 255) -> list[str]:
    """Write each class's name on its roomiest region, where a name fits; return the names written."""
    labels = to_numpy(mask)
    written = []
    for index in _present(labels, ignore_index):
        room = ndimage.distance_transform_edt(np.pad(labels == index, 1))[1:-1, 1:-1]
        roomiest = np.argwhere(room == room.max())
        row, column = roomiest[len(roomiest) // 2]
        if 2 * room[row, column] < _LABEL_ROOM * labels.shape[1]:
            continue
        text = ax.text(column, row, classes[index], ha="center", va="center", fontsize=9)
        text.set_path_effects([withStroke(linewidth=3, foreground="white")])
        written.append(classes[index])
    return written


def boundary_segments(labels: np.ndarray) -> np.ndarray:
    """Return the lines between neighbouring pixels of different labels, as (S, 2, 2): two (x, y) ends each.

    Straight runs are one segment. Pixel (row, column) covers x from column - 0.5 to column + 0.5.

    >>> boundary_segments(np.array([[0, 1], [0, 1]])).tolist()
    [[[0.5, -0.5], [0.5, 1.5]]]
    """
    upright = _runs((labels[:, 1:] != labels[:, :-1]).T)  # runs down the line between two columns
    level = _runs(labels[1:] != labels[:-1])  # runs along the line between two rows
    vertical = [upright[:, 0] + 0.5, upright[:, 1] - 0.5, upright[:, 0] + 0.5, upright[:, 2] - 0.5]
    horizontal = [level[:, 1] - 0.5, level[:, 0] + 0.5, level[:, 2] - 0.5, level[:, 0] + 0.5]
    ends = np.concatenate([np.stack(vertical, axis=1), np.stack(horizontal, axis=1)])
    return ends.reshape(-1, 2, 2)


def _runs(flags: np.ndarray) -> np.ndarray:
    """Return (line, start, stop) of every run of true values in a (lines, n) array; stop is exclusive."""
    steps = np.diff(np.pad(flags.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    lines, starts = np.nonzero(steps == 1)
    return np.stack([lines, starts, np.nonzero(steps == -1)[1]], axis=1)


def void_path(labels: np.ndarray, ignore_index: int) -> Path:
    """Return one path that covers exactly the void pixels: a rectangle for each run of them in a row."""
    rows, starts, stops = _runs(labels == ignore_index).T
    left, right, top, bottom = starts - 0.5, stops - 0.5, rows - 0.5, rows + 0.5
    corners = np.stack([left, top, right, top, right, bottom, left, bottom, left, top], axis=1).reshape(-1, 2)
    codes = np.tile([Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY], len(rows))
    return Path(corners, codes.astype(Path.code_type))


def _check(mask: Any, palette: Any, classes: Sequence[str], ignore_index: int) -> np.ndarray:
    labels = to_numpy(mask)
    if labels.ndim != 2 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"mask is {labels.dtype} of shape {labels.shape}; expected integers (H, W).")
    if np.shape(palette) != (len(classes), 3):
        raise ValueError(
            f"palette has shape {np.shape(palette)} for {len(classes)} classes; expected ({len(classes)}, 3)."
        )
    unknown = [index for index in _present(labels, ignore_index) if not 0 <= index < len(classes)]
    if unknown:
        raise ValueError(f"mask has labels {unknown}; expected 0…{len(classes) - 1} or {ignore_index} (void).")
    return labels


def _present(labels: np.ndarray, ignore_index: int) -> list[int]:
    return [int(value) for value in np.unique(labels) if value != ignore_index]


def _colored(labels: np.ndarray, palette: Any, ignore_index: int) -> np.ndarray:
    """Return (H, W, 3) uint8: the palette's colour of every label, `VOID_COLOR` where void."""
    void = labels == ignore_index
    colors = np.asarray(palette, dtype=np.uint8)[np.where(void, 0, labels)]
    colors[void] = VOID_COLOR
    return colors


def _finish(
    ax: Axes,
    labels: np.ndarray,
    palette: Any,
    classes: Sequence[str],
    title: str | None,
    ignore_index: int,
    legend: bool,
) -> None:
    """Add what makes a label map readable without colour: hatching, outlines, names."""
    has_void = bool((labels == ignore_index).any())
    if has_void:
        ax.add_patch(PathPatch(void_path(labels, ignore_index), facecolor="none", **_HATCH))
    segments = boundary_segments(labels)
    crowding = np.abs(np.diff(segments, axis=1)).sum() / labels.size  # pixel sides that are a boundary, per pixel
    width = np.interp(crowding, *_OUTLINE_WIDTHS)
    outlines = LineCollection(segments, colors="black", linewidths=width)
    ax.add_collection(outlines, autolim=False)
    ax.set_axis_off()
    if title is not None:
        ax.set_title(title)
    if not legend:
        return
    swatches = [
        Patch(facecolor=np.asarray(palette)[index] / 255, edgecolor="black", label=classes[index])
        for index in _present(labels, ignore_index)
    ]
    if has_void:
        swatches.append(Patch(facecolor=np.array(VOID_COLOR) / 255, label="void", **_HATCH))
    beside = {"loc": "center left", "bbox_to_anchor": (1, 0.5), "frameon": False}
    ax.legend(handles=swatches, handlelength=1.4, handleheight=1.4, **beside)
