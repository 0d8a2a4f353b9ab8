"""Alignment: where the units of every map of a network lie over the image, and the crops that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_utils.alignment import IMAGE, NETWORKS, WITH_SAME, Grid, Layer, Row, align, network, smallest_size
from course_utils.plotting import OKABE_ITO, subplots
from course_utils.widgets.base import BaseExplorer, check_choice, read_assets

PRESETS = {name: network(name) for name in NETWORKS} | {f"{name}_same": network(name, "same") for name in WITH_SAME}
"""Networks to choose from: as published, and some with padding that needs no crop."""

OWN = "own"
"""The name of a network whose layers were changed."""

VIEWS = ("start", "whole", "pixel")
_MOST_PIXELS = 1000
_MOST_PADDING = 150
_COLORS = {"conv": "sky blue", "pool": "sky blue", "deconv": "bluish green", "join": "reddish purple"}


class AlignmentExplorer(BaseExplorer):
    """All maps of a network over one ruler in pixels of the image, with stride, unit 0 and crops.

    Drag along the image: the units of every map over the pixel are marked. Size and padding have sliders, and every
    number of every layer can be changed in the table. It can be read and set from Python: `network` (one of `PRESETS`),
    `layers`, `size` (of the image), `pixel`, `layer` (the chosen one's name), `view` ("start", "whole" or "pixel").

    Args:
        network: one of `PRESETS`, or a list of `course_utils.alignment.Layer`, from the image on.
        size: pixels of the image along the axis.

    Layers that do not fit are no error here: `problem` says what is wrong.

    Raises:
        TraitError: unknown network, layer or view, or a size or pixel that there is not.

    >>> explorer = AlignmentExplorer("fcn8s")
    >>> explorer.crops
    {'pool4': 5, 'pool3': 9, 'image': 31}
    """

    _esm = read_assets(
        "explorer.js",
        "alignment_rules.js",
        "alignment_words.js",
        "alignment_drawing.js",
        "alignment_table.js",
        "alignment.js",
    )
    _css = read_assets("explorer.css", "alignment.css")

    network = traitlets.Unicode().tag(sync=True)
    size = traitlets.Int(500).tag(sync=True)
    pixel = traitlets.Int(0).tag(sync=True)
    layer = traitlets.Unicode(IMAGE).tag(sync=True)
    view = traitlets.Unicode("start").tag(sync=True)
    _layers = traitlets.List(traitlets.Dict()).tag(sync=True)
    _presets = traitlets.Dict().tag(sync=True)
    _limits = traitlets.List(traitlets.Int()).tag(sync=True)

    def __init__(self, network: str | Sequence[Layer] = "fcn8s", size: int = 500) -> None:
        known = isinstance(network, str)
        name = check_choice("network", network, list(PRESETS)) if known else OWN
        super().__init__(
            network=name,
            size=size,
            _layers=_to_browser(PRESETS[name] if known else network),
            _presets={name: _to_browser(layers) for name, layers in PRESETS.items()},
            _limits=[_MOST_PIXELS, _MOST_PADDING],
        )

    @property
    def layers(self) -> list[Layer]:
        """The layers from the image on; set them to look at a network of your own.

        Raises:
            ValueError: a layer as it was changed in the browser is none, such as one with too much output padding.
        """
        return [Layer(**layer) for layer in self._layers]

    @layers.setter
    def layers(self, layers: Sequence[Layer]) -> None:
        with self.hold_trait_notifications():
            self._layers = _to_browser(layers)
            self.network = OWN

    @property
    def rows(self) -> list[Row]:
        """Size, stride and place of each layer's map, and the crops; see `course_utils.alignment.align`.

        Raises:
            ValueError: a layer does not fit.
        """
        return align(self.layers, self.size)

    @property
    def crops(self) -> dict[str, int | None]:
        """The crop of each join by its source; None where no crop aligns it.

        Raises:
            ValueError: a layer does not fit.
        """
        return {row.layer.source: row.crop for row in self.rows if row.layer.kind == "join"}

    @property
    def problem(self) -> str:
        """What does not fit; "" if all layers do."""
        try:
            _ = self.rows
        except ValueError as error:
            return str(error)
        return ""

    @property
    def smallest(self) -> int | None:
        """The smallest image that gets through all layers; None if there is none up to 1000 pixels."""
        return smallest_size(self.layers, _MOST_PIXELS)

    @property
    def units(self) -> dict[str, range]:
        """The units of each layer's map over the chosen pixel."""
        return {row.layer.name: row.grid.units_over(self.pixel) for row in self.rows}

    @traitlets.observe("network")
    def _take_preset(self, change: dict) -> None:
        if change["new"] != OWN:
            self._layers = _to_browser(PRESETS[change["new"]])

    @traitlets.observe("_layers")
    def _keep_the_layer(self, _change: dict) -> None:
        if self.layer not in [IMAGE, *(layer["name"] for layer in self._layers)]:
            self.layer = IMAGE

    @traitlets.observe("size")
    def _keep_the_pixel(self, change: dict) -> None:
        self.pixel = min(self.pixel, change["new"] - 1)

    @traitlets.validate("network")
    def _known_network(self, proposal: dict) -> str:
        return check_choice("network", proposal["value"], [*PRESETS, OWN])

    @traitlets.validate("view")
    def _known_view(self, proposal: dict) -> str:
        return check_choice("view", proposal["value"], VIEWS)

    @traitlets.validate("layer")
    def _known_layer(self, proposal: dict) -> str:
        return check_choice("layer", proposal["value"], [IMAGE, *(layer["name"] for layer in self._layers)])

    @traitlets.validate("size")
    def _valid_size(self, proposal: dict) -> int:
        if not 1 <= proposal["value"] <= _MOST_PIXELS:
            raise traitlets.TraitError(f"size is {proposal['value']}; expected 1 to {_MOST_PIXELS} pixels.")
        return proposal["value"]

    @traitlets.validate("pixel")
    def _valid_pixel(self, proposal: dict) -> int:
        if not 0 <= proposal["value"] < self.size:
            raise traitlets.TraitError(f"pixel is {proposal['value']}; expected 0 to {self.size - 1}.")
        return proposal["value"]

    def describe(self) -> str:
        name = "your own network" if self.network == OWN else self.network
        start = f"Alignment explorer: {name} on {self.size} pixels along one axis."
        if self.problem:
            return f"{start} It does not fit: {self.problem}"
        crops = ", ".join(f"{source} {'none' if crop is None else crop}" for source, crop in self.crops.items())
        grid = self.rows[-1].grid if self.rows else Grid(self.size)
        return (
            f"{start} Crops: {crops or 'no map meets another'}. The last map has {grid.size} units at stride "
            f"{grid.stride}, unit 0 at pixel {float(grid.start):g}."
        )

    def poster(self) -> Figure:
        rows = [] if self.problem else _landmarks(self.rows)
        figure, ax = subplots(width=860, height=90 + 24 * (len(rows) + 1))
        _draw_strip(ax, 0, IMAGE, Grid(self.size), OKABE_ITO["blue"])
        for number, row in enumerate(rows, 1):
            label = row.layer.name
            if row.layer.kind == "join":
                label += f": crop {row.crop}" if row.is_exact else f": {row.miss} pixel off"
            _draw_strip(ax, number, label, row.grid, OKABE_ITO[_COLORS[row.layer.kind]])
        ax.axvline(self.pixel, color=OKABE_ITO["vermillion"], linewidth=1.5)
        ax.set(ylim=(len(rows) + 0.6, -0.6), xlabel="pixels of the image; dot: unit 0 of each map")
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
        return figure


def _landmarks(rows: Sequence[Row]) -> list[Row]:
    """The rows worth a strip: joins, changes of stride, and of several convolutions in a row the last."""
    following = [row.layer.kind for row in rows[1:]] + [""]
    grids = [row.grid for row in rows]
    moved = [grid.start != before.start for grid, before in zip(grids, [Grid(1), *grids], strict=False)]
    chosen = []
    for row, kind, has_moved in zip(rows, following, moved, strict=True):
        if row.layer.kind != "conv" or row.layer.stride > 1 or (has_moved and kind != "conv"):
            chosen.append(row)
    return chosen


def _draw_strip(ax: Axes, number: int, label: str, grid: Grid, color: str) -> None:
    """A map as a bar from the first to the last of its units, one stride each."""
    left, length = float(grid.start - grid.stride / 2), float(grid.size * grid.stride)
    ax.barh(number, length, 0.7, left, color=color, alpha=0.35, edgecolor="#777777", linewidth=0.5)
    ax.plot(float(grid.start), number, "o", color="black", markersize=4)
    text = f"{label}  (stride {float(grid.stride):g}, unit 0 at {float(grid.start):g})"
    ax.text(max(float(grid.start), 0) + 12, number, text, va="center", fontsize=8)


def _to_browser(layers: Sequence[Layer]) -> list[dict[str, Any]]:
    return [asdict(layer) for layer in layers]
