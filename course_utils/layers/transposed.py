"""Transposed convolution, computed in four ways; each gives what `F.conv_transpose2d` gives.

1. `conv_transpose_by_scatter`: every input pixel stamps the kernel, times its value, into the output.
2. `conv_transpose_by_zero_insertion`: zeros between the pixels, then an ordinary convolution with the flipped kernel.
3. `conv_transpose_by_matrix`: write the convolution that goes the other way as a matrix, and transpose it.
4. `conv_transpose_by_gradient`: the gradient of that convolution with respect to its input.

Source: Dumoulin & Visin, *A guide to convolution arithmetic for deep learning* (2016), chapter 4.

Letters: N images, C_in → C_out channels, map H×W, kernel k, stride s, padding p, output padding o. Stride, padding and
output padding are one number or (down, across). The weight is (C_in, C_out, kh, kw): that of the convolution that goes
the other way, from C_out to C_in channels.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.data.checks import describe

Pair = int | tuple[int, int]


def transposed_size(size: int, kernel: int, stride: int = 1, padding: int = 0, output_padding: int = 0) -> int:
    """Output pixels along one side: (H − 1)·s + k − 2p + o.

    The last of H stamps begins at (H − 1)·s and is k long; padding crops p pixels at both ends; output padding adds
    o at the far end.

    >>> transposed_size(7, kernel=16, stride=8), 8 * 7 + 8
    (64, 64)
    """
    return (size - 1) * stride + kernel - 2 * padding + output_padding


def insert_zeros(x: Tensor, stride: Pair) -> Tensor:
    """Put s − 1 zeros between neighbouring pixels: (…, H, W) → (…, H + (s − 1)(H − 1), W + (s − 1)(W − 1)).

    >>> insert_zeros(torch.tensor([[1, 2, 3]]), stride=2)
    tensor([[1, 0, 2, 0, 3]])
    """
    down, across = _pair("stride", stride, least=1)
    height, width = x.shape[-2:]
    inserted = x.new_zeros(*x.shape[:-2], height + (down - 1) * (height - 1), width + (across - 1) * (width - 1))
    inserted[..., ::down, ::across] = x
    return inserted


def convolution_matrix(w: Tensor, size: tuple[int, int], stride: Pair = 1, padding: Pair = 0) -> Tensor:
    """The matrix A of `F.conv2d(·, w)` on maps of `size`: A @ map.flatten() is the flattened result.

    Column j is the convolution's answer to the map that is 1 at place j and 0 elsewhere.

    w: (O, C, kh, kw). Returns (O·h·w, C·H·W) for maps (C, H, W) and results (O, h, w).

    >>> convolution_matrix(torch.tensor([[[[2.0, 3.0]]]]), size=(1, 4), stride=2)
    tensor([[2., 3., 0., 0.],
            [0., 0., 2., 3.]])
    """
    channels, (height, width) = w.shape[1], size
    units = torch.eye(channels * height * width, dtype=w.dtype, device=w.device)
    answers = F.conv2d(units.view(-1, channels, height, width), w, stride=stride, padding=padding)  # (C·H·W, O, h, w)
    return answers.flatten(1).T


def conv_transpose_by_scatter(
    x: Tensor, w: Tensor, stride: Pair = 1, padding: Pair = 0, output_padding: Pair = 0
) -> Tensor:
    """Stamp the kernel once per input pixel, s pixels apart, and add up; then crop p pixels all round.

    Args:
        x: (N, C_in, H, W).
        w: (C_in, C_out, kh, kw).
        stride, padding, output_padding: one number or (down, across); output padding is smaller than the stride.

    Returns:
        (N, C_out, h, w); see `transposed_size`.

    Raises ValueError for shapes that do not fit, numbers out of range and an empty output; TypeError for numbers that
    are not whole.

    >>> conv_transpose_by_scatter(torch.tensor([[[[1.0, 10.0]]]]), torch.tensor([[[[1.0, 2.0, 3.0]]]]), stride=2)
    tensor([[[[ 1.,  2., 13., 20., 30.]]]])
    """
    (sh, sw), (ph, pw), _ = _check(x, w, stride, padding, output_padding)
    height, width = _output_size(x, w, stride, padding, output_padding)
    kh, kw = w.shape[2:]
    canvas = x.new_zeros(len(x), w.shape[1], height + 2 * ph, width + 2 * pw)
    for i in range(x.shape[2]):
        for j in range(x.shape[3]):
            stamp = torch.einsum("nc,cohw->nohw", x[:, :, i, j], w)  # (N, C_out, kh, kw)
            canvas[:, :, i * sh : i * sh + kh, j * sw : j * sw + kw] += stamp
    return canvas[:, :, ph : ph + height, pw : pw + width]


def conv_transpose_by_zero_insertion(
    x: Tensor, w: Tensor, stride: Pair = 1, padding: Pair = 0, output_padding: Pair = 0
) -> Tensor:
    """Insert zeros, turn the kernel round, convolve at stride 1. Arguments and errors as `conv_transpose_by_scatter`.

    >>> x, w = torch.randn(2, 3, 4, 5), torch.randn(3, 6, 3, 3)
    >>> got = conv_transpose_by_zero_insertion(x, w, stride=2, padding=1, output_padding=1)
    >>> torch.allclose(got, F.conv_transpose2d(x, w, stride=2, padding=1, output_padding=1), atol=1e-5)
    True
    """
    _, (ph, pw), (oh, ow) = _check(x, w, stride, padding, output_padding)
    kh, kw = w.shape[2:]
    inserted = insert_zeros(x, stride)  # (N, C_in, H + (s − 1)(H − 1), W + (s − 1)(W − 1))
    top, left = kh - 1 - ph, kw - 1 - pw  # below zero if p > k − 1: F.pad then crops
    padded = F.pad(inserted, (left, left + ow, top, top + oh))
    turned = w.flip(2, 3).transpose(0, 1)  # (C_out, C_in, kh, kw)
    return F.conv2d(padded, turned)


def conv_transpose_by_matrix(
    x: Tensor, w: Tensor, stride: Pair = 1, padding: Pair = 0, output_padding: Pair = 0
) -> Tensor:
    """Aᵀ x, where A is the matrix of the convolution from the output's size back to the input's.

    A has C_in·H·W rows and C_out·h·w columns: for small maps only. Arguments and errors as `conv_transpose_by_scatter`.

    >>> conv_transpose_by_matrix(torch.tensor([[[[1.0, 10.0]]]]), torch.tensor([[[[1.0, 2.0, 3.0]]]]), stride=2)
    tensor([[[[ 1.,  2., 13., 20., 30.]]]])
    """
    stride, padding, _ = _check(x, w, stride, padding, output_padding)
    size = _output_size(x, w, stride, padding, output_padding)
    matrix = convolution_matrix(w, size, stride, padding)  # (C_in·H·W, C_out·h·w)
    return (x.flatten(1) @ matrix).view(len(x), w.shape[1], *size)  # a row times A is Aᵀ times a column


def conv_transpose_by_gradient(
    x: Tensor, w: Tensor, stride: Pair = 1, padding: Pair = 0, output_padding: Pair = 0
) -> Tensor:
    """Send x backwards through the convolution that goes the other way.

    Arguments and errors as `conv_transpose_by_scatter`.

    >>> conv_transpose_by_gradient(torch.tensor([[[[1.0, 10.0]]]]), torch.tensor([[[[1.0, 2.0, 3.0]]]]), stride=2)
    tensor([[[[ 1.,  2., 13., 20., 30.]]]])
    """
    stride, padding, _ = _check(x, w, stride, padding, output_padding)
    size = _output_size(x, w, stride, padding, output_padding)
    differentiable = torch.is_grad_enabled() and (x.requires_grad or w.requires_grad)
    with torch.enable_grad():
        large = x.new_zeros(len(x), w.shape[1], *size, requires_grad=True)
        small = F.conv2d(large, w, stride=stride, padding=padding)  # (N, C_in, H, W)
        (gradient,) = torch.autograd.grad(small, large, grad_outputs=x, create_graph=differentiable)
    return gradient


def _output_size(x: Tensor, w: Tensor, stride: Pair, padding: Pair, output_padding: Pair) -> tuple[int, int]:
    numbers = zip(
        x.shape[2:],
        w.shape[2:],
        _pair("stride", stride, least=1),
        _pair("padding", padding),
        _pair("output_padding", output_padding),
        strict=True,
    )
    height, width = (transposed_size(*along) for along in numbers)
    return height, width


def _check(
    x: Tensor, w: Tensor, stride: Pair, padding: Pair, output_padding: Pair
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Check all arguments; return stride, padding and output padding as pairs."""
    for name, value, shape in (("x", x, "(N, C_in, H, W)"), ("w", w, "(C_in, C_out, kh, kw)")):
        if not isinstance(value, Tensor) or value.ndim != 4 or 0 in value.shape[1:]:
            raise ValueError(f"{name}: expected a tensor {shape} with no empty side, got {describe(value)}.")
    if x.shape[1] != w.shape[0]:
        swapped = " Is it the weight of a convolution? Use w.transpose(0, 1)." if x.shape[1] == w.shape[1] else ""
        raise ValueError(
            f"w: its first side is C_in = {w.shape[0]}, but x has {x.shape[1]} channels; expected "
            f"(C_in, C_out, kh, kw).{swapped}"
        )
    strides, paddings = _pair("stride", stride, least=1), _pair("padding", padding)
    extras = _pair("output_padding", output_padding)
    if any(extra >= step for extra, step in zip(extras, strides, strict=True)):
        raise ValueError(
            f"output_padding: expected less than the stride {strides}, got {extras}. With a whole stride more, another "
            "input pixel would fit: enlarge the map instead."
        )
    if min(size := _output_size(x, w, strides, paddings, extras)) < 1:
        raise ValueError(
            f"padding: {paddings} crops the output of a {tuple(x.shape[2:])} map, kernel {tuple(w.shape[2:])}, stride "
            f"{strides}, to {size}. Use less padding."
        )
    return strides, paddings, extras


def _pair(name: str, value: Any, least: int = 0) -> tuple[int, int]:
    pair = value if isinstance(value, tuple) else (value, value)
    if len(pair) != 2 or not all(isinstance(number, int) and not isinstance(number, bool) for number in pair):
        raise TypeError(f"{name}: expected a whole number or a tuple of two (down, across), got {value!r}.")
    if min(pair) < least:
        raise ValueError(f"{name}: expected {least} or more, got {value!r}.")
    return pair
