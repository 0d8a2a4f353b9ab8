"""Weight map explorer: how much every pixel counts in the U-Net's loss, and why, as w0 and sigma are moved."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_utils.plotting import OKABE_ITO, as_rgb, draw_image, subplots
from course_utils.plotting.images import to_numpy
from course_utils.weight_maps import nearest_cells, unet_weight_map
from course_utils.widgets.base import COLORMAP, Explorer, check_index, encode, mark_cell, read_assets

MOST_W0 = 30.0
LEAST_SIGMA, MOST_SIGMA = 0.5, 20.0
NEAREST, SECOND = "#D55E00", "#56B4E9"  # colours of the nearest and the second nearest cell
_LONGEST_SIDE = 256
_MOST_CELLS = 2**16 - 1
_CELL_COLORS = ("orange", "bluish green", "yellow", "blue", "reddish purple")


class WeightMapExplorer(Explorer):
    """The U-Net's weight map, w = w_c + w0 · exp(−(d1 + d2)² / (2 sigma²)), beside the cells.

    Move w0 and sigma: every pixel's weight follows. Point at a pixel, or use the arrow keys: the two nearest cells are
    outlined, with a line to the nearest point of each border. From Python, to read or to set: `w0`, `sigma`, `balanced`
    (whether w_c balances the classes or is 1), `row` and `col` (the pixel); to read: `weights`, `d1`, `d2` (H, W),
    `cells` (the numbers of the two cells nearest to the pixel).

    Args:
        instances: (H, W) integers, 0 for background and a number for each cell; at most 256 × 256. Array or tensor.
        image: (H, W, 3) uint8 array, or (1 or 3, H, W) float tensor in [0, 1]; if left out, the cells in colours.
        w0: 0 to 30.
        sigma: in pixels, 0.5 to 20.

    Raises:
        ValueError: instances or image do not fit.
        TraitError: w0 or sigma is out of range.

    >>> explorer = WeightMapExplorer(np.array([[1, 1, 0, 0, 0, 2]]))
    >>> explorer.col = 3
    >>> print(explorer.d1[0, 3], explorer.d2[0, 3], explorer.cells)
    2.0 2.0 (1, 2)
    >>> print(f"{explorer.weights[0, 3]:.3f} = 1 + {10 * np.exp(-(4**2) / 50):.3f}")
    8.261 = 1 + 7.261
    """

    _esm = read_assets("explorer.js", "metrics_painter_drawing.js", "weight_map_drawing.js", "weight_map.js")
    _css = read_assets("explorer.css", "weight_map.css")

    w0 = traitlets.Float().tag(sync=True)
    sigma = traitlets.Float().tag(sync=True)
    balanced = traitlets.Bool(True).tag(sync=True)
    row = traitlets.Int().tag(sync=True)
    col = traitlets.Int().tag(sync=True)
    _ids = traitlets.Unicode().tag(sync=True)
    _sites = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _class_weights = traitlets.List(traitlets.Float()).tag(sync=True)
    _limits = traitlets.Dict().tag(sync=True)

    def __init__(self, instances: Any, image: Any | None = None, w0: float = 10.0, sigma: float = 5.0) -> None:
        self.instances = _check_instances(instances)
        photo = as_rgb(_colored(self.instances) if image is None else image)
        if photo.shape[:2] != self.instances.shape:
            raise ValueError(f"image has size {photo.shape[:2]}; the instances have {self.instances.shape}. Crop one.")
        near = nearest_cells(torch.from_numpy(self.instances))
        self.d1, self.d2 = near.d1, near.d2
        self._near = near
        self._size = self.instances.shape
        flat = unet_weight_map(torch.from_numpy(self.instances), w0=0).numpy()
        by_class = [flat[kind] for kind in (self.instances == 0, self.instances > 0)]
        row, col = _most_interesting(near.d1 + near.d2)
        super().__init__(
            photo,
            w0=w0,
            sigma=sigma,
            row=row,
            col=col,
            _ids=encode(self.instances, "uint16"),
            _sites=[encode(site, "int32") for site in (near.site1, near.site2)],
            _class_weights=[float(values[0]) if values.size else 1.0 for values in by_class],
            _limits={"w0": [0, MOST_W0], "sigma": [LEAST_SIGMA, MOST_SIGMA]},
        )

    @property
    def weights(self) -> np.ndarray:
        """(H, W) float32, as `unet_weight_map` gives them."""
        class_weights = None if self.balanced else (1, 1)
        return unet_weight_map(torch.from_numpy(self.instances), self.w0, self.sigma, class_weights).numpy()

    @property
    def cells(self) -> tuple[int, int] | None:
        """Numbers of the cells whose borders are nearest and second nearest to the pixel; None with fewer than two."""
        sites = [int(site[self.row, self.col]) for site in (self._near.site1, self._near.site2)]
        return None if sites[0] < 0 else tuple(int(self.instances.flat[site]) for site in sites)

    @traitlets.validate("w0", "sigma")
    def _within_limits(self, proposal: dict) -> float:
        name, value = proposal["trait"].name, proposal["value"]
        low, high = (0.0, MOST_W0) if name == "w0" else (LEAST_SIGMA, MOST_SIGMA)
        if not low <= value <= high:
            raise traitlets.TraitError(f"{name} is {value:g}; expected {low:g} to {high:g}.")
        return value

    @traitlets.validate("row")
    def _known_row(self, proposal: dict) -> int:
        return check_index("row", proposal["value"], self._size[0])

    @traitlets.validate("col")
    def _known_col(self, proposal: dict) -> int:
        return check_index("col", proposal["value"], self._size[1])

    def describe(self) -> str:
        height, width = self._size
        count = len(np.unique(self.instances[self.instances > 0]))
        weights = self.weights
        here = f"Row {self.row}, column {self.col} weighs {weights[self.row, self.col]:.2f}"
        if self.cells is not None:
            d1, d2 = self.d1[self.row, self.col], self.d2[self.row, self.col]
            here += f": cell {self.cells[0]} is {d1:.1f} pixels away, cell {self.cells[1]} {d2:.1f}"
        return (
            f"Weight map of {height} × {width} pixels with {count} cells, w0 = {self.w0:g} and sigma = {self.sigma:g} "
            f"pixels: weights from {weights.min():.2f} to {weights.max():.2f}. {here}."
        )

    def poster(self) -> Figure:
        height, width = self._size
        figure, (photo, grid) = subplots(1, 2, width=860, height=90 + 410 * height / width)
        draw_image(photo, self.image, "Cells: the two that are nearest")
        weights = self.weights
        heat = grid.imshow(weights, cmap=COLORMAP, vmin=0)
        grid.set(title=f"Weights: w0 = {self.w0:g}, sigma = {self.sigma:g} pixels", xlabel="column", ylabel="row")
        for ax in (photo, grid):
            self._draw_cells(ax)
            mark_cell(ax, self.row, self.col)
        figure.colorbar(heat, ax=grid, orientation="horizontal", shrink=0.8, label="weight in the loss")
        return figure

    def _draw_cells(self, ax: Axes) -> None:
        if self.cells is None:
            return
        sites = (self._near.site1, self._near.site2)
        for cell, site, color, line in zip(self.cells, sites, (NEAREST, SECOND), ("-", "--"), strict=True):
            to_row, to_col = divmod(int(site[self.row, self.col]), self._size[1])
            inside = np.pad(self.instances == cell, 1)
            rows, cols = (np.arange(-1, side + 1) for side in self._size)
            for edge, width in (("white", 4), (color, 2)):
                ax.contour(cols, rows, inside, levels=[0.5], colors=[edge], linewidths=width)
                ax.plot([self.col, to_col], [self.row, to_row], color=edge, linewidth=width, linestyle=line)


def _most_interesting(apart: np.ndarray) -> tuple[int, int]:
    """The pixel where two cells are closest; of equal ones that in the middle of the list."""
    best = np.argwhere(apart == apart.min())
    row, col = best[len(best) // 2]
    return int(row), int(col)


def _colored(instances: np.ndarray) -> np.ndarray:
    """Cells in five colours in turn on dark ground, (H, W, 3) uint8."""
    colors = [[40, 40, 40], *([int(OKABE_ITO[name][i : i + 2], 16) for i in (1, 3, 5)] for name in _CELL_COLORS)]
    index = np.where(instances > 0, (instances - 1) % len(_CELL_COLORS) + 1, 0)
    return np.array(colors, dtype=np.uint8)[index]


def _check_instances(instances: Any) -> np.ndarray:
    ids = to_numpy(instances)
    whole = np.issubdtype(ids.dtype, np.integer)
    if ids.ndim != 2 or not whole or not all(1 <= side <= _LONGEST_SIDE for side in ids.shape):
        raise ValueError(
            f"instances is {ids.dtype} of shape {ids.shape}; expected integers, (H, W), 1 to {_LONGEST_SIDE} on each "
            "side. Cut a piece out: instances[:96, :128]."
        )
    if ids.min() < 0 or ids.max() > _MOST_CELLS:
        raise ValueError(f"instances has numbers from {ids.min()} to {ids.max()}; expected 0 to {_MOST_CELLS}.")
    return ids.astype(np.int64)
