"""Unpooling: what the maximum of each window keeps, what it loses, and what each way back to full size makes of it."""

from __future__ import annotations

import base64
import math
from typing import Any

import matplotlib
import numpy as np
import torch
import torch.nn.functional as F
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.plotting import subplots
from course_utils.plotting.images import to_numpy
from course_utils.widgets.base import COLORMAP, BaseExplorer, check_choice, check_index, encode, mark_cell, read_assets

METHODS = {
    "max_unpool": "max unpooling",
    "corner": "top-left corner",
    "nearest": "nearest",
    "bilinear": "bilinear",
    "transposed_4x4": "transposed convolution 4 × 4",
    "transposed_3x3": "transposed convolution 3 × 3",
}
"""The ways back from the pooled map to full size, each with its name in words; see `upsample`."""

_LONGEST_SIDE = 32
_ROUNDING = 1e-9
_MOST_NUMBERED_COLUMNS = 10


def upsample(pooled: Tensor, indices: Tensor, method: str) -> Tensor:
    """Return a (h, w) map, max-pooled 2 × 2, at twice its size: (2h, 2w), by one of `METHODS`.

    "max_unpool" puts each value where `indices` point (as `F.max_pool2d` returns them), "corner" in its window's
    top-left corner; zeros elsewhere. The transposed convolutions have stride 2, padding 1 and fixed kernels:
    4 × 4 is the bilinear one, ¼ ¾ ¾ ¼ each way; 3 × 3 is ½ 1 ½ each way, with an output padding of 1.

    >>> pooled, indices = F.max_pool2d(torch.tensor([[[1.0, 2], [7, 3]]]), 2, return_indices=True)
    >>> upsample(pooled[0], indices[0], "max_unpool")
    tensor([[0., 0.],
            [7., 0.]])
    """
    batch = pooled[None, None]
    if method == "max_unpool":
        return F.max_unpool2d(batch, indices[None, None], 2)[0, 0]
    if method == "corner":
        rows, cols = (2 * torch.arange(length) for length in pooled.shape)
        corners = rows[:, None] * 2 * pooled.shape[1] + cols
        return F.max_unpool2d(batch, corners[None, None], 2)[0, 0]
    if method == "nearest":
        return F.interpolate(batch, scale_factor=2, mode="nearest")[0, 0]
    if method == "bilinear":
        return F.interpolate(batch, scale_factor=2, mode="bilinear", align_corners=False)[0, 0]
    along = {"transposed_4x4": [0.25, 0.75, 0.75, 0.25], "transposed_3x3": [0.5, 1.0, 0.5]}[method]
    line = pooled.new_tensor(along)
    kernel = torch.outer(line, line)[None, None]
    return F.conv_transpose2d(batch, kernel, stride=2, padding=1, output_padding=len(along) % 2)[0, 0]


def _to_text(values: np.ndarray, _explorer: UnpoolingExplorer) -> str:
    return encode(values, "float64")


def _from_text(text: str, explorer: UnpoolingExplorer) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f8").reshape(explorer.values.shape)


class UnpoolingExplorer(BaseExplorer):
    """A map with its 2 × 2 maxima and their indices, the pooled map, and a way back to full size.

    Drag a value of the map up or down, or use + and −: maxima and indices jump, and with them what comes back.
    Point at a position: where its value comes from is marked. From Python: `values` (read it or set it), `method`
    (one of `METHODS`), `row` and `col` (the position), `pooled`, `indices`, `result`, `scores()`.

    Args:
        feature_map: (H, W) numbers; H and W even, 2 to 32, so that windows of 2 × 2 leave nothing over.

    `values` is a float64 array that cannot be written to: assign a new one to change the map.

    Raises:
        ValueError: the map has another shape, or a value is not finite.
        TraitError: `values`, `method`, `row` or `col` was set to something that cannot be drawn.

    >>> explorer = UnpoolingExplorer([[0.1, 0.9, 0.3, 0.2], [0.4, 0.5, 0.8, 0.0]])
    >>> explorer.pooled.tolist(), explorer.indices.tolist()
    ([[0.9, 0.8]], [[1, 6]])
    >>> explorer.result.tolist()
    [[0.0, 0.9, 0.0, 0.0], [0.0, 0.0, 0.8, 0.0]]
    """

    _esm = read_assets("explorer.js", "unpooling_methods.js", "unpooling_drawing.js", "unpooling.js")
    _css = read_assets("explorer.css", "unpooling.css")

    values = traitlets.TraitType().tag(sync=True, to_json=_to_text, from_json=_from_text)
    method = traitlets.Unicode("max_unpool").tag(sync=True)
    row = traitlets.Int().tag(sync=True)
    col = traitlets.Int().tag(sync=True)
    _start = traitlets.Unicode().tag(sync=True)
    _rows = traitlets.Int().tag(sync=True)
    _cols = traitlets.Int().tag(sync=True)
    _colormap = traitlets.Unicode().tag(sync=True)

    def __init__(self, feature_map: Any) -> None:
        values = _check_map(feature_map)
        self._shape = values.shape
        highest = np.unravel_index(values.argmax(), values.shape)
        super().__init__(
            values=values,
            row=int(highest[0]),
            col=int(highest[1]),
            _start=encode(values, "float64"),
            _rows=values.shape[0],
            _cols=values.shape[1],
            _colormap=encode(matplotlib.colormaps[COLORMAP](np.arange(256), bytes=True)[:, :3], "uint8"),
        )

    @property
    def pooled(self) -> np.ndarray:
        """(H/2, W/2) maximum of each window."""
        return self._pool()[0].numpy()

    @property
    def indices(self) -> np.ndarray:
        """(H/2, W/2) where each maximum stands in the map, counted row by row, as `F.max_pool2d` counts."""
        return self._pool()[1].numpy()

    @property
    def result(self) -> np.ndarray:
        """(H, W) what comes back by `method`."""
        return upsample(*self._pool(), self.method).numpy()

    def scores(self) -> dict[str, dict[str, float]]:
        """For each method the error against the map: "rmse", and "in_place", the number of values that are back.

        A value is back if it differs from the map's by no more than rounding.
        """
        pooled, indices = self._pool()
        scores = {}
        for method in METHODS:
            differences = upsample(pooled, indices, method).numpy() - self.values
            near = np.abs(differences) <= _ROUNDING * np.abs(self.values).max()
            scores[method] = {"rmse": math.sqrt((differences**2).mean()), "in_place": int(near.sum())}
        return scores

    def _pool(self) -> tuple[Tensor, Tensor]:
        pooled, indices = F.max_pool2d(torch.tensor(self.values)[None], 2, return_indices=True)
        return pooled[0], indices[0]

    @traitlets.validate("values")
    def _valid_values(self, proposal: dict) -> np.ndarray:
        values = _check_values(proposal["value"], traitlets.TraitError)
        if values.shape != self._shape:
            raise traitlets.TraitError(f"values has shape {values.shape}; expected that of the map, {self._shape}.")
        return values

    @traitlets.validate("method")
    def _known_method(self, proposal: dict) -> str:
        return check_choice("method", proposal["value"], list(METHODS))

    @traitlets.validate("row")
    def _known_row(self, proposal: dict) -> int:
        return check_index("row", proposal["value"], self._shape[0])

    @traitlets.validate("col")
    def _known_col(self, proposal: dict) -> int:
        return check_index("col", proposal["value"], self._shape[1])

    def describe(self) -> str:
        score = self.scores()[self.method]
        rows, cols = self._shape
        place = self.row, self.col
        return (
            f"Unpooling explorer: a map of {rows} × {cols} values, the maxima of its 2 × 2 windows, and what comes "
            f"back at full size by {METHODS[self.method]}: RMSE {score['rmse']:.3g}, {score['in_place']} of "
            f"{rows * cols} values at their place. Row {self.row}, column {self.col} held {self.values[place]:.3g} "
            f"and now holds {self.result[place]:.3g}."
        )

    def poster(self) -> Figure:
        rows, cols = self._shape
        figure, (left, middle, right) = subplots(1, 3, width=900, height=70 + 290 * rows / cols)
        result = self.result
        low, high = min(0.0, self.values.min(), result.min()), max(self.values.max(), result.max())
        titles = "Map: maxima framed", "Max-pooled", f"Back: {METHODS[self.method]}"
        for ax, values, title in zip((left, middle, right), (self.values, self.pooled, result), titles, strict=True):
            _draw_values(ax, values, title, low, high)
        for index in self.indices.flat:
            _frame_maximum(left, *divmod(int(index), cols))
        for ax in (left, right):
            mark_cell(ax, self.row, self.col)
        return figure


def _draw_values(ax: Axes, values: np.ndarray, title: str, low: float, high: float) -> None:
    heat = ax.imshow(values, cmap=COLORMAP, vmin=low, vmax=high)
    ax.set_title(title)
    ax.set_axis_off()
    if values.shape[1] > _MOST_NUMBERED_COLUMNS:
        return
    for (row, col), value in np.ndenumerate(values):
        ink = "black" if heat.norm(value) > 0.5 else "white"
        ax.text(col, row, f"{value:.2g}", color=ink, ha="center", va="center", fontsize=8)


def _frame_maximum(ax: Axes, row: int, col: int) -> None:
    corners = [(col - 0.4, row - 0.4), (col + 0.4, row - 0.4), (col + 0.4, row + 0.4), (col - 0.4, row + 0.4)]
    for color, width in (("black", 2.5), ("white", 1.2)):
        ax.plot(*zip(*corners, corners[0], strict=True), color=color, linewidth=width, linestyle="-")


def _check_map(feature_map: Any) -> np.ndarray:
    values = _check_values(feature_map, ValueError)
    if values.ndim != 2 or not all(2 <= side <= _LONGEST_SIDE and side % 2 == 0 for side in values.shape):
        raise ValueError(
            f"feature_map has shape {values.shape}; expected (H, W), one channel, each even and 2 to {_LONGEST_SIDE}. "
            "Cut a piece out of it: feature_map[channel, :8, :12]."
        )
    return values


def _check_values(given: Any, error: type[Exception]) -> np.ndarray:
    """Return a float64 copy that cannot be written to."""
    array = to_numpy(given)
    if not (np.issubdtype(array.dtype, np.number) or array.dtype == bool) or np.iscomplexobj(array):
        raise error(f"the map's values are {array.dtype}; expected real numbers.")
    values = array.astype(np.float64)
    if not np.isfinite(values).all():
        raise error(f"the map holds {int((~np.isfinite(values)).sum())} NaN or infinite values of {values.size}.")
    values.flags.writeable = False
    return values
