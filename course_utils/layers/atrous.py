"""Atrous convolution (空洞卷积): weights that lie `rate` pixels apart, in two ways that need no dilation.

The name is French, *à trous*, "with holes" (Holschneider et al., 1989); *dilated convolution* is the same thing. Both
functions give what `F.conv2d(images, weight, dilation=rate, padding=padding)` gives.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def zero_stuffed_kernel(weight: Tensor, rate: int) -> Tensor:
    """The kernel with rate − 1 zeros between neighbouring weights: what an atrous convolution slides over the map.

    Shapes: (O, C, k, l) → (O, C, rate·(k − 1) + 1, rate·(l − 1) + 1). The gradient flows back to `weight`.

    Raises ValueError if the rate is below 1 or the weight is no (O, C, k, l) kernel.

    >>> zero_stuffed_kernel(torch.ones(1, 1, 2, 3), rate=2)[0, 0].int().tolist()
    [[1, 0, 1, 0, 1], [0, 0, 0, 0, 0], [1, 0, 1, 0, 1]]
    """
    _check(weight, rate)
    height, width = (rate * (side - 1) + 1 for side in weight.shape[2:])
    stuffed = weight.new_zeros(*weight.shape[:2], height, width)
    stuffed[:, :, ::rate, ::rate] = weight
    return stuffed


def atrous_conv_by_zero_stuffing(images: Tensor, weight: Tensor, rate: int, padding: int = 0) -> Tensor:
    """Atrous convolution as an ordinary convolution with the zero-stuffed kernel. Most of its products are with zeros.

    Shapes: (N, C, H, W) → (N, O, H + 2·padding − rate·(k − 1), W + 2·padding − rate·(l − 1)).

    Raises ValueError if the rate is below 1, or the stuffed kernel is larger than the padded image.
    """
    _check(weight, rate)
    _output_size(images, weight, rate, padding)
    return F.conv2d(images, zero_stuffed_kernel(weight, rate), padding=padding)


def atrous_conv_by_interleaving(images: Tensor, weight: Tensor, rate: int, padding: int = 0) -> Tensor:
    """Atrous convolution as rate² ordinary ones: shift and subsample, convolve, interleave.

    A weight only meets pixels whose distance is a multiple of `rate`. So the image falls apart into rate² smaller
    images that never mix: every rate-th pixel, from each of rate² starts. Each is convolved with the kernel as it is.
    (Chen et al., *DeepLab*, 2015, section 3.1, name both ways.)

    Shapes and errors as in `atrous_conv_by_zero_stuffing`.
    """
    _check(weight, rate)
    height, width = _output_size(images, weight, rate, padding)
    images = F.pad(images, (padding, padding, padding, padding))
    output = images.new_empty(len(images), len(weight), height, width)
    for row in range(min(rate, height)):
        for column in range(min(rate, width)):
            subsampled = images[:, :, row::rate, column::rate]
            output[:, :, row::rate, column::rate] = F.conv2d(subsampled, weight)
    return output


def valid_weights(size: tuple[int, int], rate: int, kernel_size: int = 3) -> Tensor:
    """How many weights of an atrous kernel lie on the map, not in its padding, at each position: int64 (H, W).

    The map is padded so that it keeps its size, by rate·(kernel_size − 1) / 2 on each side. Source: Chen et al.,
    *Rethinking Atrous Convolution*, 2017, section 3.3.

    Raises ValueError if the rate is below 1 or the kernel has no centre.

    >>> valid_weights((3, 5), rate=2)
    tensor([[4, 4, 6, 4, 4],
            [2, 2, 3, 2, 2],
            [4, 4, 6, 4, 4]])
    """
    if rate < 1:
        raise ValueError(f"rate: expected 1 or more, got {rate}. Rate 1 is an ordinary convolution.")
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"kernel_size: expected an odd number, so that there is a centre, got {kernel_size}.")
    reach = kernel_size // 2
    offsets = rate * torch.arange(-reach, reach + 1)

    def along(side: int) -> Tensor:
        read = torch.arange(side)[:, None] + offsets  # (side, kernel_size)
        return ((read >= 0) & (read < side)).sum(1)

    return torch.outer(along(size[0]), along(size[1]))


def _check(weight: Tensor, rate: int) -> None:
    if rate < 1:
        raise ValueError(f"rate: expected 1 or more, got {rate}. Rate 1 is an ordinary convolution.")
    if weight.ndim != 4:
        raise ValueError(f"weight: expected a kernel (O, C, k, l), got shape {tuple(weight.shape)}.")


def _output_size(images: Tensor, weight: Tensor, rate: int, padding: int) -> tuple[int, int]:
    if padding < 0:
        raise ValueError(f"padding: expected 0 or more, got {padding}. Crop the image to take pixels away.")
    padded = [side + 2 * padding for side in images.shape[2:]]
    reach = [rate * (side - 1) for side in weight.shape[2:]]
    height, width = (side - more for side, more in zip(padded, reach, strict=True))
    if height < 1 or width < 1:
        raise ValueError(
            f"rate: at rate {rate} the kernel covers {reach[0] + 1}×{reach[1] + 1} pixels, the padded image has "
            f"{padded[0]}×{padded[1]}. Use a lower rate or more padding."
        )
    return height, width
