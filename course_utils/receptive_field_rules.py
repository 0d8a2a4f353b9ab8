"""What each operation does to the receptive field: the rules behind `receptive_field`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, gcd, inf
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

NOTHING = (inf, -inf)
EVERYTHING = (-inf, inf)


@dataclass(frozen=True)
class AxisField:
    """The input pixels that the units of a map see along one axis: a pattern that repeats.

    Unit `i` sees pixels first … last (both inclusive) with (first, last) = `pattern[i % P]`, moved by `advance` pixels
    for each full period of P units. P is 1 for every chain of convolutions and pools; upsampling makes it longer,
    since neighbouring units then see different numbers of pixels.
    """

    pattern: tuple[tuple[float, float], ...] = ((0, 0),)
    advance: int = 1

    def __call__(self, unit: int) -> tuple[float, float]:
        periods, phase = divmod(unit, len(self.pattern))
        first, last = self.pattern[phase]
        return first + periods * self.advance, last + periods * self.advance

    @property
    def size(self) -> float:
        return max(last - first + 1 for first, last in self.pattern)

    @property
    def stride(self) -> float:
        stride = Fraction(self.advance, len(self.pattern))
        return stride.numerator if stride.denominator == 1 else float(stride)

    @property
    def is_everything(self) -> bool:
        return EVERYTHING in self.pattern

    def pull(self, taps: Callable[[int], Iterable[int]], step_in: int = 1, step_out: int = 1) -> AxisField:
        """The field after an operation whose output unit o reads the units `taps(o)` of this map.

        The operation itself repeats: taps(o + step_out) are taps(o) moved by step_in.
        """
        repeats = len(self.pattern) // gcd(len(self.pattern), step_in)
        pattern = tuple(hull(self(unit) for unit in taps(out)) for out in range(repeats * step_out))
        return AxisField(pattern, self.advance * step_in * repeats // len(self.pattern))

    def union(self, other: AxisField) -> AxisField:
        """The field of a unit that reads the same unit of two maps."""
        if self.is_everything or other.is_everything:
            return AxisField((EVERYTHING,))
        if self.advance * len(other.pattern) != other.advance * len(self.pattern):
            raise ValueError(f"maps of different strides, {self.stride} and {other.stride}, meet in one operation")
        period = len(self.pattern) * len(other.pattern) // gcd(len(self.pattern), len(other.pattern))
        pattern = tuple(hull((self(unit), other(unit))) for unit in range(period))
        return AxisField(pattern, self.advance * period // len(self.pattern))


def hull(intervals: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """The smallest interval that holds all of them; of none: `NOTHING`."""
    intervals = [NOTHING, *intervals]
    return min(first for first, _ in intervals), max(last for _, last in intervals)


def window(axis: AxisField, kernel: int, stride: int, padding: int, dilation: int) -> AxisField:
    """Convolution and pooling: o reads o·stride − padding + dilation·t for t < kernel."""
    return axis.pull(lambda o: (o * stride - padding + dilation * t for t in range(kernel)), step_in=stride)


def transposed_window(axis: AxisField, kernel: int, stride: int, padding: int, dilation: int) -> AxisField:
    """Transposed convolution: o reads every i with i·stride − padding + dilation·t = o for a t < kernel."""

    def taps(o: int) -> Iterable[int]:
        reached = (o + padding - dilation * t for t in range(kernel))
        return (position // stride for position in reached if position % stride == 0)

    return axis.pull(taps, step_out=stride)


def resized(axis: AxisField, before: int, after: int, taps: Callable[[Fraction], Iterable[int]]) -> AxisField:
    """Resampling by before/after: o reads `taps(o · before/after)`."""
    ratio = Fraction(before, after)
    return axis.pull(lambda o: taps(o * ratio), step_in=ratio.numerator, step_out=ratio.denominator)


Axes = tuple[AxisField, AxisField]
WHOLE_IMAGE: Axes = (AxisField((EVERYTHING,)), AxisField((EVERYTHING,)))

# Each rule gets the fields of the operation's first map, its output, and its arguments by their names in PyTorch.


def convolution(axes: Axes, output: Tensor, *, weight, stride, padding, dilation, transposed, **_) -> Axes:
    rule = transposed_window if transposed else window
    return tuple(map(rule, axes, weight.shape[2:], pair(stride), pair(padding), pair(dilation)))


def pooling(axes: Axes, output: Tensor, *, kernel_size, stride, padding, dilation=1, **_) -> Axes:
    return tuple(map(window, axes, pair(kernel_size), pair(stride or kernel_size), pair(padding), pair(dilation)))


def adaptive_pooling(axes: Axes, output: Tensor, *, self, **_) -> Axes:
    def pool(axis: AxisField, before: int, after: int) -> AxisField:
        if before == after:
            return axis
        if after == 1:
            return WHOLE_IMAGE[0]
        size = Fraction(before, after)
        return resized(axis, before, after, lambda start: range(floor(start), ceil(start + size)))

    return tuple(map(pool, axes, self.shape[2:], output.shape[2:]))


def mean(axes: Axes, output: Tensor, *, self, dim, **_) -> Axes:
    dims = {position % self.ndim for position in dim} if dim else set(range(self.ndim))
    return tuple(WHOLE_IMAGE[0] if number + 2 in dims else axis for number, axis in enumerate(axes))


def nearest(axes: Axes, output: Tensor, *, input=None, self=None, **_) -> Axes:
    source = self if input is None else input
    sizes = zip(axes, source.shape[2:], output.shape[2:], strict=True)
    return tuple(resized(axis, before, after, lambda place: [floor(place)]) for axis, before, after in sizes)


def bilinear(axes: Axes, output: Tensor, *, align_corners, input=None, self=None, **_) -> Axes:
    def resize(axis: AxisField, before: int, after: int) -> AxisField:
        if align_corners and after > 1:
            # First and last units of both maps lie on each other: they repeat with the gaps between them.
            return resized(axis, before - 1, after - 1, lambda place: {floor(place), ceil(place)})
        offset = Fraction(before, after) / 2 - Fraction(1, 2)
        return resized(axis, before, after, lambda place: {floor(place + offset), ceil(place + offset)})

    source = self if input is None else input
    return tuple(map(resize, axes, source.shape[2:], output.shape[2:]))


def padded(axes: Axes, output: Tensor, *, pad=None, padding=None, **_) -> Axes:
    left, _right, top, _bottom = (*(pad or padding), 0, 0)[:4]
    return window(axes[0], 1, 1, top, 1), window(axes[1], 1, 1, left, 1)


def crop(axes: Axes, output: Tensor, *, self, dim, start, step, **_) -> Axes:
    number = dim % self.ndim - 2
    if number < 0:
        return axes
    start = range(self.shape[dim])[start:].start
    return tuple(window(axis, 1, step, -start, 1) if i == number else axis for i, axis in enumerate(axes))


def same_place(axes: Axes, output: Tensor, **_) -> Axes:
    return axes


RULES = {
    "convolution": convolution,
    "max_pool2d_with_indices": pooling,
    "avg_pool2d": pooling,
    "_adaptive_avg_pool2d": adaptive_pooling,
    "adaptive_max_pool2d": adaptive_pooling,
    "mean": mean,
    "upsample_nearest2d": nearest,
    "upsample_bilinear2d": bilinear,
    "constant_pad_nd": padded,
    "reflection_pad2d": padded,
    "replication_pad2d": padded,
    "slice": crop,
}
# Batch normalisation in evaluation mode is a scale and a shift; concatenation and softmax act on channels.
SAME_PLACE = ("_native_batch_norm_legit_no_training", "native_batch_norm", "cat", "clone", "detach", "alias", "split",
              "split_with_sizes", "_softmax", "_log_softmax", "_to_copy", "_prelu_kernel", "lift_fresh")  # fmt: skip
# Element-wise too, though not every version of PyTorch tags them so.
ACTIVATIONS = ("relu", "hardtanh", "leaky_relu", "elu", "gelu", "silu", "mish", "hardswish", "hardsigmoid", "softplus",
               "log_sigmoid_forward", "sigmoid", "tanh", "clamp")  # fmt: skip


class FieldTracer(TorchDispatchMode):
    """While active, knows the receptive field of every map computed from the image given to `start`."""

    def __init__(self) -> None:
        super().__init__()
        # Tensors are kept with their fields, so that an id is never used twice.
        self._known: dict[int, tuple[Tensor, Axes]] = {}

    def start(self, image: Tensor) -> None:
        self._known[id(image)] = image, (AxisField(), AxisField())

    def fields_of(self, tensor: Tensor) -> Axes:
        """(vertical, horizontal) field of a map; raises KeyError if it does not depend on the image."""
        return self._known[id(tensor)][1]

    def __torch_dispatch__(self, func, types, args=(), kwargs=None) -> Any:
        result = func(*args, **(kwargs or {}))
        arguments = {**defaults(func), **dict(zip(names(func), args, strict=False)), **(kwargs or {})}
        maps = [tensor for tensor in flat(arguments.values()) if id(tensor) in self._known]
        if maps:
            # Of a tuple the first is the map (then come a pool's indices, or statistics); a list is a split map.
            for output in flat(result if isinstance(result, list) else flat([result])[:1]):
                self._known[id(output)] = output, self._apply(func, maps, output, arguments)
        return result

    def _apply(self, func, maps: list[Tensor], output: Tensor, arguments: dict[str, Any]) -> Axes:
        fields = [self.fields_of(tensor) for tensor in maps]
        name = func.overloadpacket.__name__.rstrip("_")  # relu_ is relu in place
        if all(axes == WHOLE_IMAGE for axes in fields):
            return WHOLE_IMAGE
        if any(tensor.ndim != 4 for tensor in maps) or output.ndim != 4:
            if name in ("view", "_unsafe_view", "reshape") and maps[0].ndim == 4 and output.ndim == 2:
                return WHOLE_IMAGE  # flattened, for a layer that reads all of it
        elif name in RULES:
            return RULES[name](fields[0], output, **arguments)
        elif name in SAME_PLACE or name in ACTIVATIONS or torch.Tag.pointwise in func.tags:
            axes = fields[0]
            for other in fields[1:]:
                axes = tuple(a.union(b) for a, b in zip(axes, other, strict=True))
            return axes
        raise ValueError(f"receptive_field has no rule for {func} on maps of {[tuple(m.shape) for m in maps]}")


def names(func) -> list[str]:
    return [argument.name for argument in func._schema.arguments]


def defaults(func) -> dict[str, Any]:
    return {argument.name: argument.default_value for argument in func._schema.arguments}


def flat(values: Iterable[Any]) -> list[Tensor]:
    """The tensors among some values, and in lists of them."""
    tensors = []
    for value in values:
        if isinstance(value, Tensor):
            tensors.append(value)
        elif isinstance(value, list | tuple):
            tensors.extend(flat(value))
    return tensors


def pair(value: int | list[int]) -> tuple[int, int]:
    """PyTorch's operations take one number for both axes, or one for each."""
    vertical, *rest = [value] if isinstance(value, int) else value
    return vertical, rest[0] if rest else vertical
