"""A network as a table of layers: where each map lies, and the crop of every join."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from course_utils.alignment.grid import Grid

KINDS = ("conv", "pool", "deconv", "join")
IMAGE = "image"


@dataclass(frozen=True)
class Layer:
    """One row of a network's table.

    `kind` is "conv", "pool", "deconv" (transposed convolution), or "join": this map meets that of the earlier layer
    `source` ("image": the image itself, or its mask), where whichever begins earlier is cropped.
    """

    name: str
    kind: str
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    output_padding: int = 0
    ceil_mode: bool = False
    source: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"layer {self.name!r} has the kind {self.kind!r}; expected one of {', '.join(KINDS)}")
        for name, least in (("kernel", 1), ("stride", 1), ("padding", 0), ("dilation", 1), ("output_padding", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise ValueError(f"layer {self.name!r}: {name} is {value!r}; expected a whole number, {least} or more")
        if self.kind == "deconv" and self.output_padding >= max(self.stride, self.dilation):
            raise ValueError(
                f"layer {self.name!r}: output_padding is {self.output_padding}; expected less than stride or dilation, "
                f"{max(self.stride, self.dilation)}, since it only chooses among the sizes that the stride leaves open"
            )


@dataclass(frozen=True)
class Row:
    """What a layer makes of the map before it: `grid`; at a join also the crop that aligns the two maps."""

    layer: Layer
    grid: Grid
    offset: Fraction | None = None
    """At a join: at which unit of the source's map this map begins. Positive: the source is cropped; negative: this
    map is; not whole: no crop aligns them."""

    @property
    def crop(self) -> int | None:
        """Units to cut from the start of the map that begins earlier; None: no join, or no crop aligns them."""
        return abs(int(self.offset)) if self.is_exact else None

    @property
    def is_exact(self) -> bool:
        """Whether this is a join that a crop of whole units aligns."""
        return self.offset is not None and self.offset.denominator == 1

    @property
    def miss(self) -> Fraction:
        """By how many pixels of the image the nearest crop leaves the two maps apart; 0 where a crop aligns them."""
        if self.offset is None:
            return Fraction(0)
        part = self.offset % 1
        return min(part, 1 - part) * self.grid.stride


def align(layers: Iterable[Layer], size: int) -> list[Row]:
    """Size, stride and place of every layer's map, for an image of `size` pixels, and the crop of every join.

    Args:
        layers: from the image on; a join names the earlier layer that it meets.
        size: pixels along the axis.

    Returns:
        One row per layer. A join's grid is what both maps have in common after the crop. Where no crop aligns them, it
        is cropped as if the offset were rounded towards zero.

    Raises:
        ValueError: a layer does not fit on the map before it, or a join's source is unknown or of another stride; the
            layer is named.

    >>> layers = [Layer("conv", "conv", 3), Layer("pool", "pool", 2, 2), Layer("up", "deconv", 2, 2)]
    >>> for row in align([*layers, Layer("sum", "join", source="conv")], 11):
    ...     print(row.layer.name, row.grid.size, row.grid.stride, row.grid.start, row.crop)
    conv 9 1 1 None
    pool 4 2 3/2 None
    up 8 1 1 None
    sum 8 1 1 0
    """
    grid = Grid(size)
    known = {IMAGE: grid}
    rows = []
    for layer in layers:
        try:
            row = _next_row(layer, grid, known)
        except ValueError as error:
            raise ValueError(f"layer {layer.name!r}: {error}") from None
        rows.append(row)
        grid = known[layer.name] = row.grid
    return rows


def crops(layers: Iterable[Layer], size: int) -> dict[str, int]:
    """The crop of every join by its source, as `{"pool4": 5, "image": 27}`.

    Raises:
        ValueError: as `align`, and where no crop aligns a join.

    >>> crops([Layer("conv", "conv", 7, 32), Layer("up", "deconv", 63, 32), Layer("mask", "join", source="image")], 500)
    {'image': 28}
    """
    joins = [row for row in align(layers, size) if row.layer.kind == "join"]
    for row in joins:
        if not row.is_exact:
            raise ValueError(
                f"{row.layer.name!r} is {row.miss} pixels off {row.layer.source!r}: no crop of whole units aligns them."
                " Change a kernel by one, or the padding."
            )
    return {row.layer.source: row.crop for row in joins}


def smallest_size(layers: Iterable[Layer], most: int = 1000) -> int | None:
    """The smallest image, up to `most` pixels, on which every layer fits; None if there is none.

    >>> smallest_size([Layer("conv", "conv", 3), Layer("pool", "pool", 2, 2), Layer("fc", "conv", 7)])
    16
    """
    layers = list(layers)
    for size in range(1, most + 1):
        try:
            align(layers, size)
        except ValueError:
            continue
        return size
    return None


def with_padding(layers: Sequence[Layer], padding: int) -> list[Layer]:
    """The same layers, with another padding around the image: in the first layer."""
    first, *rest = layers
    return [replace(first, padding=padding), *rest]


def _next_row(layer: Layer, grid: Grid, known: dict[str, Grid]) -> Row:
    if layer.kind == "deconv":
        return Row(layer, grid.deconv(layer.kernel, layer.stride, layer.padding, layer.dilation, layer.output_padding))
    if layer.kind != "join":
        return Row(layer, grid.conv(layer.kernel, layer.stride, layer.padding, layer.dilation, layer.ceil_mode))
    if layer.source not in known:
        raise ValueError(f"no layer {layer.source!r} before it; there are {', '.join(known)}")
    source = known[layer.source]
    offset = source.offset_of(grid)
    here, there = max(-int(offset), 0), max(int(offset), 0)
    common = min(grid.size - here, source.size - there)
    if common < 1:
        raise ValueError(f"{layer.source!r} has {source.size} units and this map {grid.size}; they do not overlap")
    return Row(layer, grid.crop(here, common), offset)
