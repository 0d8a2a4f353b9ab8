"""Atrous convolution: which taps of a 3 × 3 kernel with holes meet the map, at every rate, and what a stack sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from course_utils.plotting import OKABE_ITO, as_rgb, subplots
from course_utils.widgets.base import COLORMAP, Explorer, check_choice, check_index, mark_cell, read_assets

MODES = ("one", "aspp", "stack")
"""One rate; several side by side, as in atrous spatial pyramid pooling; layers on top of one another."""

_LONGEST_SIDE = 129
_BEYOND = 3  # rates beyond the longer side that can be chosen
_MOST_RATES = 4
_RATES = [[6, 12, 18], [12, 24, 36]]
_STACKS = [[1, 1, 1], [2, 2, 2], [1, 2, 5], [2, 4, 8]]
_SIZES = [[33, 33], [65, 65]]
_COLORS = [OKABE_ITO[name] for name in ("vermillion", "blue", "bluish green", "reddish purple")]


class Shares(NamedTuple):
    """What a 3 × 3 kernel of one rate meets on a map with zeros around it."""

    all_nine: float  # of the positions: all nine taps are inside
    weights: float  # of the nine weights at all positions: they meet the map
    only_centre: float  # of the positions: the eight other taps are outside


def taps_inside(size: tuple[int, int], rate: int) -> np.ndarray:
    """(H, W) number of the nine taps that are inside the map, for the kernel at each position.

    A tap is inside if its row and its column are: along each axis there are three, of which the outer two can miss.

    >>> taps_inside((3, 4), rate=2)
    array([[4, 4, 4, 4],
           [2, 2, 2, 2],
           [4, 4, 4, 4]])
    """
    rows, cols = (np.arange(length) for length in size)
    down, across = (1 + (axis >= rate) + (axis + rate < len(axis)) for axis in (rows, cols))
    return np.outer(down, across)


def shares(size: tuple[int, int], rate: int) -> Shares:
    """Return the `Shares` of a rate on a map of (H, W), in closed form.

    Along an axis of length L, max(0, L − 2r) positions have all three taps inside, all positions together have
    L + 2 max(0, L − r), and min(L, max(0, 2r − L)) have the middle one alone. From r = L on that is every position.

    >>> shares((33, 33), rate=33)
    Shares(all_nine=0.0, weights=0.111..., only_centre=1.0)
    """
    positions = size[0] * size[1]
    whole = [max(0, length - 2 * rate) for length in size]
    taps = [length + 2 * max(0, length - rate) for length in size]
    alone = [min(length, max(0, 2 * rate - length)) for length in size]
    return Shares(
        all_nine=whole[0] * whole[1] / positions,
        weights=taps[0] * taps[1] / (9 * positions),
        only_centre=alone[0] * alone[1] / positions,
    )


def ways_to_see(size: tuple[int, int], position: tuple[int, int], rates: Sequence[int]) -> np.ndarray:
    """(H, W) in how many ways a stack of 3 × 3 layers of these rates leads from each pixel to `position`; 0: unseen.

    Each layer has zeros around its input, so ways that leave the map do not count.

    >>> ways_to_see((1, 9), (0, 4), rates=[1, 3])
    array([[1, 1, 1, 1, 1, 1, 1, 1, 1]])
    >>> ways_to_see((1, 9), (0, 4), rates=[2, 2])
    array([[1, 0, 2, 0, 3, 0, 2, 0, 1]])
    """
    axes = []
    for length, start in zip(size, position, strict=True):
        ways = np.zeros(length, np.int64)
        ways[start] = 1
        for rate in reversed(rates):
            further = ways.copy()
            further[rate:] += ways[: max(0, length - rate)]
            further[: max(0, length - rate)] += ways[rate:]
            ways = further
        axes.append(ways)
    return np.outer(*axes)


class AtrousExplorer(Explorer):
    """A 3 × 3 kernel of rate r on a feature map: its nine taps, those that fall into the zeros, and the shares.

    Point at a position, or use the arrow keys; move the rate by the slider, by + and −, or in the chart. "ASPP" shows
    several rates together, "stacked layers" which pixels a position sees through layers of these rates. From Python:
    `mode` (one of `MODES`), `rate`, `rates` (of ASPP), `stack` (rates, first layer first), `size`, `row`, `col`;
    `shares` and `seen` tell the numbers.

    Args:
        image: (H, W, 3) uint8 array, or (3, H, W) float tensor in [0, 1], drawn under the map and stretched to it.
        size: (h, w) of the feature map, at most 129 each. A net of output stride 16 makes 33 of 513 pixels.
        rate: 1 to the map's longer side and 3 more.
        rates: of ASPP's branches, one to four.

    Raises:
        ValueError: `image`, `size` or `rates` cannot be shown.
        TraitError: `rate`, or a trait that was set, cannot be shown.

    >>> explorer = AtrousExplorer(size=(33, 33), rate=18)
    >>> explorer.shares.all_nine, round(explorer.shares.weights, 3)
    (0.0, 0.405)
    """

    _esm = read_assets("explorer.js", "atrous_counts.js", "atrous_drawing.js", "atrous.js")
    _css = read_assets("explorer.css", "atrous.css")

    mode = traitlets.Unicode("one").tag(sync=True)
    size = traitlets.List(traitlets.Int()).tag(sync=True)
    rate = traitlets.Int(6).tag(sync=True)
    rates = traitlets.List(traitlets.Int()).tag(sync=True)
    stack = traitlets.List(traitlets.Int(), [2, 2, 2]).tag(sync=True)
    row = traitlets.Int().tag(sync=True)
    col = traitlets.Int().tag(sync=True)
    _has_photo = traitlets.Bool().tag(sync=True)
    _size_choices = traitlets.List().tag(sync=True)
    _rate_choices = traitlets.List().tag(sync=True)
    _stack_choices = traitlets.List().tag(sync=True)

    def __init__(
        self,
        image: Any | None = None,
        size: tuple[int, int] = (33, 33),
        rate: int = 6,
        rates: Sequence[int] = (6, 12, 18),
    ) -> None:
        try:
            shape, branches = _check_size(size), _check_rates("rates", rates)
        except traitlets.TraitError as error:
            raise ValueError(str(error)) from None
        super().__init__(
            np.zeros((*shape, 3), np.uint8) if image is None else as_rgb(image),
            size=shape,
            rate=rate,
            rates=branches,
            row=shape[0] // 2,
            col=shape[1] // 2,
            _has_photo=image is not None,
            _size_choices=_with_given(shape, _SIZES),
            _rate_choices=_with_given(branches, _RATES),
            _stack_choices=_STACKS,
        )

    @property
    def shares(self) -> Shares:
        """Those of `rate` on a map of this size."""
        return shares(tuple(self.size), self.rate)

    @property
    def taps(self) -> list[tuple[int, int]]:
        """(row, column) of the nine taps at the cursor's position; outside of the map, they meet zeros."""
        offsets = (-self.rate, 0, self.rate)
        return [(self.row + down, self.col + across) for down in offsets for across in offsets]

    @property
    def seen(self) -> np.ndarray:
        """(H, W) bool: pixels that the cursor's position sees through the layers of `stack`."""
        return ways_to_see(tuple(self.size), (self.row, self.col), self.stack) > 0

    @traitlets.validate("mode")
    def _known_mode(self, proposal: dict) -> str:
        return check_choice("mode", proposal["value"], MODES)

    @traitlets.validate("size")
    def _valid_size(self, proposal: dict) -> list[int]:
        return _check_size(proposal["value"])

    @traitlets.validate("rate")
    def _valid_rate(self, proposal: dict) -> int:
        most = max(self.size) + _BEYOND
        if not 1 <= proposal["value"] <= most:
            raise traitlets.TraitError(
                f"rate is {proposal['value']}; expected 1 to {most}: from {max(self.size)} on nothing changes any more."
            )
        return proposal["value"]

    @traitlets.validate("rates", "stack")
    def _valid_rates(self, proposal: dict) -> list[int]:
        return _check_rates(proposal["trait"].name, proposal["value"])

    @traitlets.validate("row")
    def _known_row(self, proposal: dict) -> int:
        return check_index("row", proposal["value"], self.size[0])

    @traitlets.validate("col")
    def _known_col(self, proposal: dict) -> int:
        return check_index("col", proposal["value"], self.size[1])

    @traitlets.observe("size")
    def _stay_inside(self, _change: dict) -> None:
        self.row, self.col = min(self.row, self.size[0] - 1), min(self.col, self.size[1] - 1)
        self.rate = min(self.rate, max(self.size) + _BEYOND)

    def describe(self) -> str:
        rows, cols = self.size
        start = f"Atrous explorer: a 3 × 3 kernel on a map of {rows} × {cols}"
        if self.mode == "stack":
            stack = ", ".join(map(str, self.stack))
            return (
                f"{start}, layers of rates {stack} on one another: {int(self.seen.sum())} pixels are seen from row "
                f"{self.row}, column {self.col}."
            )
        told = []
        for rate in [self.rate] if self.mode == "one" else self.rates:
            all_nine, weights, only_centre = (f"{100 * share:.1f} %" for share in shares((rows, cols), rate))
            told.append(
                f"at rate {rate}, {all_nine} of the positions have all nine taps inside, {weights} of the weights meet "
                f"the map, and {only_centre} of the positions have the centre alone"
            )
        return f"{start}: {'; '.join(told)}."

    def poster(self) -> Figure:
        figure, (left, right) = subplots(1, 2, width=900, height=360)
        rows, cols = self.size
        margin = 0.3 * max(rows, cols)
        left.add_patch(Rectangle((-0.5, -0.5), cols, rows, facecolor="white", edgecolor="black", zorder=-1))
        if self._has_photo:
            left.imshow(self.image, extent=(-0.5, cols - 0.5, rows - 0.5, -0.5))
        left.set_facecolor("#dddddd")
        left.set(xlim=(-margin, cols + margin), ylim=(rows + margin, -margin), aspect="equal", xticks=[], yticks=[])
        if self.mode == "stack":
            seen = np.ma.masked_equal(self.seen, False)
            left.imshow(seen, cmap=COLORMAP, vmin=0, vmax=1.6)
            left.set_title(f"Seen through rates {', '.join(map(str, self.stack))}")
        else:
            self._draw_taps(left)
        mark_cell(left, self.row, self.col)
        self._draw_chart(right)
        return figure

    def _draw_taps(self, ax: Axes) -> None:
        rates = [self.rate] if self.mode == "one" else self.rates
        for rate, color, marker in zip(rates, _COLORS, "soD^", strict=False):
            rows, cols = np.meshgrid(self.row + rate * np.arange(-1, 2), self.col + rate * np.arange(-1, 2))
            inside = (rows >= 0) & (rows < self.size[0]) & (cols >= 0) & (cols < self.size[1])
            ax.plot(cols[inside], rows[inside], marker, color=color, label=f"rate {rate}", linestyle="")
            ax.plot(cols[~inside], rows[~inside], "x", color=color, linestyle="")
        ax.set_title(f"{self.size[0]} × {self.size[1]} map; crosses meet zeros")
        ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1), fontsize=8)

    def _draw_chart(self, ax: Axes) -> None:
        every = range(1, max(self.size) + _BEYOND + 1)
        curves = np.array([shares(tuple(self.size), rate) for rate in every])
        titles = "all nine taps inside", "weights that meet the map", "only the centre inside"
        names = "blue", "bluish green", "orange"
        for curve, title, name, line in zip(curves.T, titles, names, ("-", "--", ":"), strict=True):
            ax.plot(every, 100 * curve, line, color=OKABE_ITO[name], label=title)
        chosen = {"one": [self.rate], "aspp": self.rates, "stack": []}[self.mode]
        for rate, color in zip(chosen, _COLORS, strict=False):
            ax.axvline(rate, color=color, linewidth=1, linestyle="-")
        ax.set(title="Shares at every rate", xlabel="rate", ylabel="share (%)")
        ax.legend(fontsize=8)


def _with_given(given: list[int], known: list[list[int]]) -> list[list[int]]:
    return known if given in known else [given, *known]


def _check_size(size: Sequence[int]) -> list[int]:
    sides = list(size)
    if len(sides) != 2 or not all(isinstance(side, int) and 1 <= side <= _LONGEST_SIDE for side in sides):
        raise traitlets.TraitError(f"size is {sides}; expected (h, w), whole numbers from 1 to {_LONGEST_SIDE}.")
    return sides


def _check_rates(name: str, rates: Sequence[int]) -> list[int]:
    numbers = list(rates)
    fine = all(isinstance(rate, int) and 1 <= rate <= _LONGEST_SIDE + _BEYOND for rate in numbers)
    if not fine or not 1 <= len(numbers) <= _MOST_RATES:
        raise traitlets.TraitError(
            f"{name} is {numbers}; expected one to {_MOST_RATES} whole numbers from 1 to {_LONGEST_SIDE + _BEYOND}."
        )
    return numbers
