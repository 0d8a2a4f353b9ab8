"""Convolution arithmetic: which units a convolution, or a transposed one, connects, and by which taps."""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from course_utils.plotting import OKABE_ITO, subplots
from course_utils.widgets.base import BaseExplorer, check_choice, check_index, read_assets
from course_utils.widgets.conv_settings import ConvSettings

LIMITS = {
    "size": (1, 12),
    "kernel": (1, 8),
    "stride": (1, 4),
    "padding": (0, 8),
    "dilation": (1, 4),
    "output_padding": (0, 3),
}
"""Smallest and largest value of each setting."""

SIDES = ("input", "output")
_MOST_NUMBERED = 16


class ConvArithmeticExplorer(BaseExplorer):
    """A unit of the output ↔ the units of the input that make it, for any setting of a convolution.

    Point at a unit of the output, or use the arrow keys: the units, kernel taps and padding that make it are marked.
    Point at a unit of the input: the outputs that it goes into are. A transposed convolution is shown both ways, as
    stamps that add up, and as a convolution that slides over the input with zeros between its units. Rows and columns
    have the same settings. All of them can be read and set from Python, `row`, `col` and `side` (of which map) too.

    Args:
        size: units of the input along each axis, n.
        kernel: taps along each axis, k.
        stride: s.
        padding: p.
        dilation: d.
        output_padding: of a transposed convolution.
        transposed: whether it is a transposed convolution.

    Settings that make no layer are no error: `output_size` is None, and `problem` says why.

    Raises:
        TraitError: a setting lies outside `LIMITS`.

    >>> explorer = ConvArithmeticExplorer(size=5, kernel=3, stride=2, padding=1)
    >>> explorer.output_size
    3
    >>> explorer.row, explorer.col = 0, 1
    >>> explorer.present
    [(0, 1, 1, 0), (0, 2, 1, 1), (0, 3, 1, 2), (1, 1, 2, 0), (1, 2, 2, 1), (1, 3, 2, 2)]
    """

    _esm = read_assets(
        "explorer.js",
        "conv_arithmetic_rules.js",
        "conv_arithmetic_words.js",
        "conv_arithmetic_drawing.js",
        "conv_arithmetic.js",
    )
    _css = read_assets("explorer.css", "conv_arithmetic.css")

    size = traitlets.Int().tag(sync=True)
    kernel = traitlets.Int().tag(sync=True)
    stride = traitlets.Int().tag(sync=True)
    padding = traitlets.Int().tag(sync=True)
    dilation = traitlets.Int().tag(sync=True)
    output_padding = traitlets.Int().tag(sync=True)
    transposed = traitlets.Bool().tag(sync=True)
    side = traitlets.Unicode("output").tag(sync=True)
    hits = traitlets.Bool(False).tag(sync=True)
    # Where the unit lies in its map, as a fraction: so it stays in its place when the settings change.
    _down = traitlets.Float(0.5).tag(sync=True)
    _across = traitlets.Float(0.5).tag(sync=True)
    _limits = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        size: int = 5,
        kernel: int = 3,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        output_padding: int = 0,
        transposed: bool = False,
    ) -> None:
        super().__init__(
            size=size,
            kernel=kernel,
            stride=stride,
            padding=padding,
            dilation=dilation,
            output_padding=output_padding,
            transposed=transposed,
            _limits={name: list(limits) for name, limits in LIMITS.items()},
        )

    @property
    def settings(self) -> ConvSettings:
        """The arithmetic of one axis."""
        return ConvSettings(
            self.size, self.kernel, self.stride, self.padding, self.dilation, self.output_padding, self.transposed
        )

    @property
    def output_size(self) -> int | None:
        """Units of the output along each axis; None if the settings make no layer."""
        return self.settings.output_size

    @property
    def problem(self) -> str:
        """Why the settings make no layer; "" if they do."""
        return self.settings.problem

    @property
    def count(self) -> int:
        """Units along each axis of the map that `side` names."""
        return self.size if self.side == "input" else self.output_size or 1

    @property
    def row(self) -> int:
        """Row of the chosen unit in the map that `side` names; set it to choose another."""
        return min(int(self._down * self.count), self.count - 1)

    @row.setter
    def row(self, row: int) -> None:
        self._down = (check_index("row", row, self.count) + 0.5) / self.count

    @property
    def col(self) -> int:
        """Column of the chosen unit in the map that `side` names; set it to choose another."""
        return min(int(self._across * self.count), self.count - 1)

    @col.setter
    def col(self, col: int) -> None:
        self._across = (check_index("col", col, self.count) + 0.5) / self.count

    @property
    def present(self) -> list[tuple[int, int, int, int]]:
        """(row, column, row of the tap, column of the tap) of each unit of the other map that meets the chosen one."""
        if self.problem:
            return []
        rows, cols = (self.settings.present(self.side, unit) for unit in (self.row, self.col))
        return [(row, col, down, across) for row, down in rows for col, across in cols]

    def transpose(self) -> None:
        """Show the layer that goes back, as the button does.

        Raises:
            ValueError: the settings make no layer, or the other one would need more than the largest input.
        """
        back = self.settings.transpose()
        most = LIMITS["size"][1]
        if back.size > most:
            raise ValueError(f"the way back has an input of {back.size} units; at most {most} are shown.")
        with self.hold_trait_notifications():
            for name in (*LIMITS, "transposed"):
                setattr(self, name, getattr(back, name))

    @traitlets.validate(*LIMITS)
    def _within_limits(self, proposal: dict) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        least, most = LIMITS[name]
        if not least <= value <= most:
            raise traitlets.TraitError(f"{name} is {value}; expected {least} to {most}.")
        return value

    @traitlets.validate("side")
    def _known_side(self, proposal: dict) -> str:
        return check_choice("side", proposal["value"], SIDES)

    def describe(self) -> str:
        kind = "Transposed convolution" if self.transposed else "Convolution"
        extra = f", output padding {self.output_padding}" if self.transposed else ""
        layer = (
            f"{kind} arithmetic: input {self.size} × {self.size}, kernel {self.kernel} × {self.kernel}, stride "
            f"{self.stride}, padding {self.padding}, dilation {self.dilation}{extra}."
        )
        if self.problem:
            return f"{layer} Impossible: {self.problem}"
        other = SIDES[self.side == "input"]
        return (
            f"{layer} The output is {self.output_size} × {self.output_size}. The {self.side}'s unit at row {self.row}, "
            f"column {self.col} is connected with {len(self.present)} units of the {other}."
        )

    def poster(self) -> Figure:
        if self.problem:
            figure, ax = subplots(width=860, height=330)
            self._draw_map(ax, "input", self.size)
            ax.set_xlabel("no output: these settings are impossible")
            return figure
        figure, axes = subplots(1, 2, width=860, height=420)
        for ax, side, size in zip(axes, SIDES, (self.size, self.output_size), strict=True):
            self._draw_map(ax, side, size)
        return figure

    def _draw_map(self, ax: Axes, side: str, size: int) -> None:
        """One map with its padding (or what a transposed convolution cuts off) and the marked units."""
        is_fine = (side == "output") == self.transposed
        before = self.padding if is_fine else 0
        after = max(before - self.output_padding, 0) if self.transposed else before
        total = before + size + after
        ax.set(xlim=(-before - 0.5, size + after - 0.5), ylim=(size + after - 0.5, -before - 0.5), aspect="equal")
        if before:
            ax.add_patch(_box(-before, -before, total, hatch="///", facecolor="white", edgecolor="#999999"))
        color = OKABE_ITO["sky blue" if side == "input" else "bluish green"]
        for row, col in np.ndindex(size, size):
            ax.add_patch(_box(row, col, 1, facecolor="white", edgecolor="#999999", linewidth=0.5))
            ax.add_patch(_box(row, col, 1, facecolor=color, alpha=0.25))
        for row, col, number in self._marks(side):
            ax.add_patch(_box(row, col, 1, facecolor=color, edgecolor=OKABE_ITO["vermillion"], linewidth=2))
            if total <= _MOST_NUMBERED:
                ax.text(col, row, number, ha="center", va="center", fontsize=8)
        word = "cut off" if self.transposed else "padding"
        ax.set(title=f"{side.capitalize()}, {size} × {size}", xlabel=f"hatched: {word}" if before else "")
        ax.set(xticks=[], yticks=[])

    def _marks(self, side: str) -> list[tuple[int, int, str]]:
        """Row, column and text of the marked units of a map: the chosen unit, or those it meets with their taps."""
        if self.problem:
            return []
        if side == self.side:
            return [(self.row, self.col, "")]
        rows, cols = (self.settings.partners(self.side, unit) for unit in (self.row, self.col))
        return [(row, col, str(down * self.kernel + across + 1)) for row, down in rows for col, across in cols]


def _box(row: float, col: float, side: float, **look: Any) -> Rectangle:
    return Rectangle((col - 0.5, row - 0.5), side, side, **look)
