"""Sliding windows: where each score of a dense score map comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import traitlets
from matplotlib.figure import Figure

from course_utils.plotting import as_rgb, draw_box, draw_image, subplots
from course_utils.plotting.images import to_numpy
from course_utils.widgets.base import (
    COLORMAP,
    Explorer,
    check_choice,
    check_index,
    encode,
    mark_cell,
    read_assets,
    spotlight,
)

_MOST_NUMBERED_COLUMNS = 12


class SlidingWindowExplorer(Explorer):
    """A window on the image ↔ a cell of the score map.

    Point at a cell, or use the arrow keys: the window that it stands for moves over the image; point at the
    image: the nearest cell is marked. Stride, class and the shifted passes of shift-and-stitch can be chosen.
    It can be read and set from Python: `row`, `col`, `stride`, `class_name`, `shifts` (show the passes),
    `only_shift` (the one pass that is shown, `[down, across]` in pixels; `[]`: all).

    Args:
        image: (H, W, 3) uint8 array, or (3, H, W) float tensor in [0, 1].
        scores: for each stride a (K, h, w) map of class scores, h = (H − window) // stride + 1, likewise w.
        class_names: K names.
        window: side of the window in pixels.
        crop_scores: (K, h, w) at the coarsest stride: what the classifier says of each crop by itself.

    Raises:
        ValueError: an argument does not fit the others, or a score is not finite.

    >>> image = np.zeros((96, 128, 3), np.uint8)
    >>> explorer = SlidingWindowExplorer(image, {32: np.eye(3, 4)[None]}, ["cat"], window=32)
    >>> explorer.row, explorer.col, explorer.box, explorer.score
    (0, 0, (0, 0, 32, 32), 1.0)
    """

    _esm = read_assets("explorer.js", "sliding_window.js")

    class_name = traitlets.Unicode().tag(sync=True)
    stride = traitlets.Int().tag(sync=True)
    shifts = traitlets.Bool(False).tag(sync=True)
    only_shift = traitlets.List(traitlets.Int()).tag(sync=True)
    # The window's corner in pixels, not its cell: so it stays where it is when the stride changes.
    _top = traitlets.Int().tag(sync=True)
    _left = traitlets.Int().tag(sync=True)
    _scores = traitlets.List().tag(sync=True)
    _crops = traitlets.Unicode().tag(sync=True)
    _class_names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _window = traitlets.Int().tag(sync=True)

    def __init__(
        self,
        image: Any,
        scores: Mapping[int, Any],
        class_names: Sequence[str],
        window: int,
        crop_scores: Any | None = None,
    ) -> None:
        height, width = as_rgb(image).shape[:2]
        self.scores = _check(scores, class_names, (height, width), window)
        coarsest = max(self.scores)
        self.crop_scores = None
        if crop_scores is not None:
            expected = self.scores[coarsest].shape
            self.crop_scores = _check_scores("crop_scores", crop_scores, expected, f"scores[{coarsest}] has")
        _, row, col = np.unravel_index(self.scores[coarsest][:1].argmax(), self.scores[coarsest][:1].shape)
        super().__init__(
            image,
            class_name=class_names[0],
            stride=coarsest,
            _top=int(row) * coarsest,
            _left=int(col) * coarsest,
            _scores=[_to_browser(stride, values) for stride, values in self.scores.items()],
            _crops="" if crop_scores is None else encode(self.crop_scores, "float32"),
            _class_names=list(class_names),
            _window=window,
        )

    @property
    def row(self) -> int:
        """Row of the chosen cell of the score map; set it to move the window."""
        return self._nearest(self._top, self.scores[self.stride].shape[1])

    @row.setter
    def row(self, row: int) -> None:
        self._top = check_index("row", row, self.scores[self.stride].shape[1]) * self.stride

    @property
    def col(self) -> int:
        """Column of the chosen cell of the score map; set it to move the window."""
        return self._nearest(self._left, self.scores[self.stride].shape[2])

    @col.setter
    def col(self, col: int) -> None:
        self._left = check_index("col", col, self.scores[self.stride].shape[2]) * self.stride

    @property
    def box(self) -> tuple[int, int, int, int]:
        """(top, left, bottom, right) of the window in pixels, bottom and right exclusive."""
        top, left = self.row * self.stride, self.col * self.stride
        return top, left, top + self._window, left + self._window

    @property
    def score(self) -> float:
        """Score of the chosen class in the chosen cell."""
        return float(self.score_map[self.row, self.col])

    @property
    def score_map(self) -> np.ndarray:
        """(h, w) scores of the chosen class at the chosen stride."""
        return self.scores[self.stride][self._class_names.index(self.class_name)]

    def _nearest(self, start: int, count: int) -> int:
        return min((2 * start + self.stride) // (2 * self.stride), count - 1)

    @traitlets.validate("class_name")
    def _known_class(self, proposal: dict) -> str:
        return check_choice("class_name", proposal["value"], self._class_names)

    @traitlets.validate("stride")
    def _known_stride(self, proposal: dict) -> int:
        return check_choice("stride", proposal["value"], sorted(self.scores))

    @traitlets.validate("only_shift")
    def _known_shift(self, proposal: dict) -> list[int]:
        shifts = range(0, max(self.scores), self.stride)
        return check_choice("only_shift", proposal["value"], [[], *([y, x] for y in shifts for x in shifts)])

    @traitlets.observe("stride")
    def _show_every_pass(self, _change: dict) -> None:
        self.only_shift = []

    def describe(self) -> str:
        top, left, bottom, right = self.box
        _, rows, cols = self.scores[self.stride].shape
        return (
            f"Sliding windows on an image of {self._height} × {self._width} pixels: {rows} × {cols} windows of "
            f"{self._window} × {self._window} at stride {self.stride}. The window over rows {top}–{bottom - 1}, "
            f"columns {left}–{right - 1} is row {self.row}, column {self.col} of the score map and scores "
            f"{self.score:.3f} for {self.class_name!r}."
        )

    def poster(self) -> Figure:
        height, width = self.image.shape[:2]
        _, rows, cols = self.scores[self.stride].shape
        figure, (photo, grid) = subplots(1, 2, width=860, height=60 + 400 * max(height / width, rows / cols))
        draw_image(photo, spotlight(self.image, self.box), f"Image: the {self._window} × {self._window} window")
        draw_box(photo, self.box)
        lowest, highest = self._range()
        heat = grid.imshow(self.score_map, cmap=COLORMAP, vmin=lowest, vmax=highest)
        grid.set(title=f"Score map: {self.class_name}, {rows} × {cols}", xlabel="column", ylabel="row")
        if cols <= _MOST_NUMBERED_COLUMNS:
            for row, col in np.ndindex(rows, cols):
                score = self.score_map[row, col]
                ink = "black" if heat.norm(score) > 0.5 else "white"
                grid.text(col, row, f"{score:.2f}", color=ink, ha="center", va="center", fontsize=8)
        mark_cell(grid, self.row, self.col)
        figure.colorbar(heat, ax=grid, orientation="horizontal", shrink=0.8, label=f"score of “{self.class_name}”")
        return figure

    def _range(self) -> tuple[float, float]:
        """Lowest and highest score of the chosen class at any stride."""
        index = self._class_names.index(self.class_name)
        maps = [scores[index] for scores in self.scores.values()]
        return min(scores.min() for scores in maps), max(scores.max() for scores in maps)


def _to_browser(stride: int, scores: np.ndarray) -> dict[str, Any]:
    _, rows, cols = scores.shape
    return {"stride": stride, "rows": rows, "cols": cols, "data": encode(scores, "float32")}


def _check(
    scores: Mapping[int, Any], class_names: Sequence[str], image_size: tuple[int, int], window: int
) -> dict[int, np.ndarray]:
    """Return scores as arrays, coarsest stride first."""
    if isinstance(class_names, str) or len(set(class_names)) != len(class_names) or not class_names:
        raise ValueError(f"class_names is {class_names!r}; expected a list of different names, at least one.")
    if not 1 <= window <= min(image_size):
        height, width = image_size
        raise ValueError(f"window is {window} and does not fit in the {height} × {width} image; enlarge the image.")
    if not isinstance(scores, Mapping) or not scores:
        raise ValueError(f"scores is {type(scores).__name__}; expected a dict such as {{32: scores}}, not empty.")
    strides = sorted(scores, reverse=True)
    for stride in strides:
        if not isinstance(stride, int) or stride < 1 or strides[0] % stride:
            raise ValueError(
                f"scores has strides {strides}; expected positive integers that divide the coarsest, {strides[0]}."
            )
    checked = {}
    for stride in strides:
        fit = tuple((length - window) // stride + 1 for length in image_size)
        reason = f"{len(class_names)} class_names and {fit[0]} × {fit[1]} windows at stride {stride} give"
        checked[stride] = _check_scores(f"scores[{stride}]", scores[stride], (len(class_names), *fit), reason)
    return checked


def _check_scores(name: str, scores: Any, shape: tuple[int, ...], reason: str) -> np.ndarray:
    array = to_numpy(scores).astype(np.float32)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}; {reason} (K, h, w) = {shape}. Cut the map, or the image.")
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).sum())
        raise ValueError(f"{name} holds {bad} NaN or infinite values of {array.size}; look at the network's input.")
    return array
