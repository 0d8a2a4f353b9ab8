"""Receptive fields: which pixels a unit of a network can see, and which ones it reacts to."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor, nn

from course_utils.plotting import as_rgb, draw_box, draw_image, subplots
from course_utils.receptive_field import ReceptiveField, effective_receptive_field, receptive_field
from course_utils.widgets.activations import mean_activations
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
from course_utils.widgets.gradient_field import GradientField, summarize


class ReceptiveFieldExplorer(Explorer):
    """A unit of a feature map ↔ the pixels of the image that it sees.

    Point at a unit, or use the arrow keys: the box of its theoretical receptive field appears at once, and the
    gradient of the unit with respect to the image (its effective field) as soon as the kernel has computed it.
    It can be read and set from Python: `network`, `layer`, `row`, `col`.

    Args:
        image: (H, W, 3) uint8 array, or (3, H, W) float tensor in [0, 1].
        networks: name → network that takes images (N, 3, H, W).
        layers: network's name → names in its `named_modules()`, those whose output is a map (N, C, h, w).
        prepare: `prepare(name, image)` makes of a (3, H, W) image in [0, 1] what the network wants, such as
            `course_utils.models.normalize`. Default: nothing is changed.

    Raises:
        ValueError: unknown network or layer, or a layer whose output is no map.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(2))
    >>> explorer = ReceptiveFieldExplorer(torch.zeros(3, 16, 24), {"net": net}, {"net": ["0", "1"]})
    >>> explorer.layer, explorer.row, explorer.col, explorer.box
    ('0', 8, 12, (7, 11, 10, 14))
    """

    _esm = read_assets("explorer.js", "receptive_field.js")

    network = traitlets.Unicode().tag(sync=True)
    layer = traitlets.Unicode().tag(sync=True)
    # Where the unit lies in its map, as a fraction: so it stays in its place when the layer changes.
    _down = traitlets.Float(0.5).tag(sync=True)
    _across = traitlets.Float(0.5).tag(sync=True)
    _layers = traitlets.Dict().tag(sync=True)
    # The unit whose gradient a browser wants, and the newest answer.
    _request = traitlets.List().tag(sync=True)
    _field = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        image: Any,
        networks: Mapping[str, nn.Module],
        layers: Mapping[str, Sequence[str]],
        prepare: Callable[[str, Tensor], Tensor] | None = None,
    ) -> None:
        _check(networks, layers)
        pixels = torch.tensor(as_rgb(image)).permute(2, 0, 1) / 255
        self.networks = {name: _twin(network) for name, network in networks.items()}
        self._inputs = {name: prepare(name, pixels) if prepare else pixels for name in networks}
        self.fields: dict[str, dict[str, ReceptiveField]] = {}
        self.activations: dict[str, dict[str, Tensor]] = {}
        for name, network in self.networks.items():
            inputs = self._inputs[name]
            self.activations[name] = mean_activations(network, layers[name], inputs)
            self.fields[name] = {layer: receptive_field(network, layer, inputs.shape) for layer in layers[name]}
        self.gradient = lru_cache(maxsize=1024)(self._compute_gradient)
        first = next(iter(networks))
        super().__init__(
            image,
            network=first,
            layer=layers[first][0],
            _layers={
                name: [
                    _to_browser(self.networks[name], layer, field, self.activations[name][layer])
                    for layer, field in fields.items()
                ]
                for name, fields in self.fields.items()
            },
        )

    @property
    def row(self) -> int:
        """Row of the chosen unit in its map; set it to choose another."""
        return int(self._down * self.field.output_size[0])

    @row.setter
    def row(self, row: int) -> None:
        rows = self.field.output_size[0]
        self._down = (check_index("row", row, rows) + 0.5) / rows

    @property
    def col(self) -> int:
        """Column of the chosen unit in its map; set it to choose another."""
        return int(self._across * self.field.output_size[1])

    @col.setter
    def col(self, col: int) -> None:
        cols = self.field.output_size[1]
        self._across = (check_index("col", col, cols) + 0.5) / cols

    @property
    def field(self) -> ReceptiveField:
        """Theoretical receptive field of the chosen layer."""
        return self.fields[self.network][self.layer]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(top, left, bottom, right) of what the chosen unit sees, as `ReceptiveField.box` gives it."""
        return self.field.box(self.row, self.col)

    def _compute_gradient(self, network: str, layer: str, row: int, col: int) -> GradientField:
        gradient = effective_receptive_field(self.networks[network], layer, self._inputs[network], (row, col))
        return summarize(gradient, self.fields[network][layer].box(row, col))

    @traitlets.observe("_request")
    def _answer(self, change: dict) -> None:
        request = change["new"]
        try:
            field = self.gradient(*request)
        except Exception as error:
            # The reader is told in the explorer; the traceback goes where the notebook shows tracebacks.
            self._field = {"request": request, "error": f"{type(error).__name__}: {error}"}
            raise
        self._field = {"request": request, **field.to_browser()}

    @traitlets.validate("network")
    def _known_network(self, proposal: dict) -> str:
        return check_choice("network", proposal["value"], list(self.fields))

    @traitlets.validate("layer")
    def _known_layer(self, proposal: dict) -> str:
        return check_choice("layer", proposal["value"], list(self.fields[self.network]))

    @traitlets.observe("network")
    def _first_layer(self, _change: dict) -> None:
        if self.layer not in self.fields[self.network]:
            self.layer = next(iter(self.fields[self.network]))

    def describe(self) -> str:
        (height, width), (rows, cols) = self.field.size, self.field.output_size
        seen = (
            "sees the whole image, whatever its size"
            if math.isinf(height)
            else f"sees {height:g} × {width:g} pixels, from row {self.box[0]:g}, column {self.box[1]:g}"
        )
        share = self.gradient(self.network, self.layer, self.row, self.col).share
        return (
            f"Receptive field in {self.network}, layer {self.layer} ({rows} × {cols}): the unit in row {self.row}, "
            f"column {self.col} {seen}; its gradient is strong in {share:.0%} of what lies inside the image."
        )

    def poster(self) -> Figure:
        height, width = self.image.shape[:2]
        rows, cols = self.field.output_size
        figure, (photo, grid) = subplots(1, 2, width=860, height=60 + 400 * max(height / width, rows / cols))
        gradient = self.gradient(self.network, self.layer, self.row, self.col)
        top, left, bottom, right = gradient.box
        picture = spotlight(self.image, gradient.box)
        picture[top:bottom, left:right] = 0.75 * picture[top:bottom, left:right].mean(axis=2, keepdims=True)
        draw_image(photo, picture, "Image: what the unit can see, and what it reacts to")
        if gradient.strength.numel():
            strength = gradient.strength.sqrt().numpy()
            extent = (left - 0.5, right - 0.5, bottom - 0.5, top - 0.5)
            photo.imshow(strength, cmap=COLORMAP, alpha=strength, extent=extent)
        margin = 0.1 * max(height, width)
        photo.set(xlim=(-margin, width + margin), ylim=(height + margin, -margin))
        draw_box(photo, gradient.box if math.isinf(self.field.size[0]) else self.box)
        heat = grid.imshow(self.activations[self.network][self.layer].numpy(), cmap=COLORMAP)
        grid.set(title=f"Feature map: {self.network} {self.layer}, {rows} × {cols}", xlabel="column", ylabel="row")
        mark_cell(grid, self.row, self.col)
        figure.colorbar(heat, ax=grid, orientation="horizontal", shrink=0.8, label="mean activation of the channels")
        return figure


def _twin(network: nn.Module) -> nn.Module:
    """Return a copy with the very same weights but layers of its own.

    Requests come from the browser while a cell may be running or training the original, in another thread:
    neither must meet the other's hooks or mode.
    """
    shared = {id(tensor): tensor for tensor in [*network.parameters(), *network.buffers()]}
    return copy.deepcopy(network, shared)


def _to_browser(network: nn.Module, layer: str, field: ReceptiveField, activation: Tensor) -> dict[str, Any]:
    rows, cols = field.output_size
    low, high = float(activation.min()), float(activation.max())
    shades = ((activation - low) / ((high - low) or 1) * 255).round()
    boxes = [[field.box(row, 0) for row in range(rows)], [field.box(0, col) for col in range(cols)]]
    return {
        "name": layer,
        "kind": type(network.get_submodule(layer)).__name__,
        "rows": rows,
        "cols": cols,
        # A box is the product of a row's and a column's extent, so these lists say it for every unit.
        "tops": _finite(box[0] for box in boxes[0]),
        "bottoms": _finite(box[2] for box in boxes[0]),
        "lefts": _finite(box[1] for box in boxes[1]),
        "rights": _finite(box[3] for box in boxes[1]),
        "size": _finite(field.size),
        "stride": _finite(field.stride),
        "start": _finite(field.start),
        "center": _finite(field.center),
        "activation": encode(shades, "uint8"),
        "low": low,
        "high": high,
    }


def _finite(numbers: Iterable[float]) -> list[float | None]:
    """JSON knows no infinity: null stands for it."""
    return [number if math.isfinite(number) else None for number in numbers]


def _check(networks: Mapping[str, nn.Module], layers: Mapping[str, Sequence[str]]) -> None:
    if not networks:
        raise ValueError("networks is empty; expected a dict such as {'vgg16': network}.")
    if set(networks) != set(layers):
        raise ValueError(f"networks has {sorted(networks)}, layers has {sorted(layers)}; expected the same names.")
    for name, network in networks.items():
        known = [layer for layer, _ in network.named_modules()]
        if isinstance(layers[name], str) or not layers[name]:
            raise ValueError(f"layers[{name!r}] is {layers[name]!r}; expected a list of names, at least one.")
        for layer in layers[name]:
            if layer not in known:
                near = ", ".join(get_close_matches(layer, known) or known[1:])
                raise ValueError(f"layers[{name!r}] has {layer!r}, which {name} has not; did you mean {near}?")
