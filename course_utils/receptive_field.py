"""Receptive fields (感受野): which input pixels an output unit sees, in theory and by gradient.

The theory here is exact and needs no formula per architecture. A network is run once on an empty image (PyTorch's
meta device: shapes, no numbers), every operation is watched, and each says which units of its input a unit of
its output reads. Rows and columns are independent, so one axis at a time is enough (`AxisField`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from course_utils.models.inspection import evaluating, input_channels
from course_utils.receptive_field_rules import AxisField, FieldTracer


@dataclass(frozen=True)
class ReceptiveField:
    """Receptive field of the units of one layer. Every pair is (vertical, horizontal), in input pixels.

    The pixel in the top left corner is (0, 0); padding lies at negative coordinates. After global pooling, or a
    fully connected layer, a unit sees the whole image whatever its size: its field is infinite.
    """

    size: tuple[float, float]
    """Extent of the box that holds every pixel a unit can see (the largest, where units differ)."""
    stride: tuple[float, float]
    """Distance between the fields of neighbouring units: the "jump"; below 1 after upsampling beyond the input."""
    start: tuple[float, float]
    """First row and column that unit (0, 0) sees."""
    center: tuple[float, float]
    """Middle of the field of unit (0, 0); nan if that is infinite, or empty."""
    output_size: tuple[int, int]
    """Height and width of the layer's map at the input size asked for."""
    axes: tuple[AxisField, AxisField]
    """The exact field along each axis."""

    def box(self, row: int, column: int) -> tuple[float, float, float, float]:
        """(top, left, bottom, right) of the pixels that a unit sees; bottom and right are exclusive.

        Not clipped: parts of it may lie in the padding, outside the image.
        """
        (top, last_row), (left, last_column) = self.axes[0](row), self.axes[1](column)
        return top, left, last_row + 1, last_column + 1


def receptive_field(model: nn.Module, layer: str, input_size: tuple[int, ...]) -> ReceptiveField:
    """Theoretical receptive field of the units of a layer.

    Args:
        model: any network of convolutions (strided, dilated, transposed, grouped), pooling, resizing, padding,
            cropping, element-wise operations and concatenations, sequential or branched.
        layer: its name in `model.named_modules()`; "" is the whole network. A layer that runs several times
            is looked at the last time.
        input_size: (H, W) or (C, H, W) of the image. `output_size` depends on it; the field only if a layer does, as
            adaptive pooling.

    Returns:
        The `ReceptiveField`: for one layer of kernel k, stride s, padding p, dilation d on top of a field
        (size, stride, start) it is (size + d(k−1)·stride, s·stride, start − p·stride) (Araujo, Norris & Sim, 2019).

    Raises:
        ValueError: no such layer, it was not reached, or an operation has no rule (its name is given).

    >>> net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, padding=2, dilation=2))
    >>> field = receptive_field(net, "2", (32, 48))
    >>> field.size, field.stride, field.start, field.center, field.output_size
    ((12, 12), (2, 2), (-5, -5), (0.5, 0.5), (16, 24))
    >>> field.box(2, 3)
    (-1, 1, 11, 13)
    """
    module = _find_layer(model, layer)
    shape = tuple(input_size) if len(input_size) == 3 else (input_channels(model), *input_size)
    found: list[tuple[tuple[AxisField, AxisField], tuple[int, int]]] = []
    tracer = FieldTracer()

    def record(_module: nn.Module, _inputs: object, output: object) -> None:
        if not isinstance(output, Tensor):
            raise ValueError(f"layer {layer!r} gives a {type(output).__name__}, not one tensor: name a part of it")
        found.append((tracer.fields_of(output), tuple(output.shape[2:]) if output.ndim == 4 else (1, 1)))

    empty = {
        name: torch.empty_like(tensor, device="meta")
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]
    }
    dtype = next((tensor.dtype for tensor in empty.values() if tensor.is_floating_point()), torch.float32)
    image = torch.empty(1, *shape, dtype=dtype, device="meta")
    handle = module.register_forward_hook(record)
    try:
        with evaluating(model), torch.no_grad(), tracer:
            tracer.start(image)
            torch.func.functional_call(model, empty, image)
    finally:
        handle.remove()
    if not found:
        raise ValueError(f"layer {layer!r} did not run on an image of size {input_size}")
    axes, output_size = found[-1]
    return ReceptiveField(
        size=tuple(axis.size for axis in axes),
        stride=tuple(axis.stride for axis in axes),
        start=tuple(axis(0)[0] for axis in axes),
        center=tuple(sum(axis(0)) / 2 for axis in axes),
        output_size=output_size,
        axes=axes,
    )


def effective_receptive_field(
    model: nn.Module, layer: str, image: Tensor, position: tuple[int, int]
) -> Tensor:
    """How strongly one unit of a layer reacts to each pixel of an image (Luo et al., 2016).

    The gradient of the unit, summed over the layer's channels, with respect to the image; its absolute value, summed
    over the image's channels. It lies inside the theoretical field, and is often much smaller.

    Args:
        model: any differentiable network.
        layer: a name in `model.named_modules()`.
        image: (C, H, W), normalised for the network.
        position: (row, column) of the unit.

    Returns:
        (H, W), not negative, not normalised.

    Raises:
        ValueError: no such layer, or its output is not a map (N, C, h, w).
        IndexError: the position lies outside the layer's map.
    """
    module = _find_layer(model, layer)
    row, column = position
    units: list[Tensor] = []

    def record(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        if not isinstance(output, Tensor) or output.ndim != 4:
            raise ValueError(f"layer {layer!r} does not give a map (N, C, h, w)")
        height, width = output.shape[2:]
        if not (0 <= row < height and 0 <= column < width):
            raise IndexError(f"position {position} lies outside the {height}×{width} map of layer {layer!r}")
        # Summed here and now: a following in-place activation would overwrite the map.
        units.append(output[0, :, row, column].sum())

    handle = module.register_forward_hook(record)
    try:
        with evaluating(model), torch.enable_grad():
            image = image.detach().clone().requires_grad_()
            model(image[None])
    finally:
        handle.remove()
    if not units:
        raise ValueError(f"layer {layer!r} did not run")
    (gradient,) = torch.autograd.grad(units[-1], image)
    return gradient.abs().sum(dim=0)


def effective_area(field: Tensor) -> int:
    """Number of pixels that matter: those that react with more than 4.55 % of the strongest one (Luo et al., 2016).

    >>> effective_area(torch.tensor([[1.0, 0.05], [0.04, 0.0]]))
    2
    """
    return int((field > (1 - 0.9545) * field.max()).sum())


def _find_layer(model: nn.Module, layer: str) -> nn.Module:
    modules = dict(model.named_modules())
    if layer not in modules:
        known = ", ".join(name for name, _ in model.named_modules() if name)
        raise ValueError(f"no layer {layer!r}; {type(model).__name__} has: {known}")
    return modules[layer]
