"""Bilinear interpolation as a transposed convolution: the upsampling of FCN."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def bilinear_kernel(stride: int, size: int | None = None) -> Tensor:
    """The kernel with which a transposed convolution interpolates: a tent that falls to 0 at `stride` from its centre.

    Shapes: → (k, k) with k = `size`, 2·stride unless told otherwise. Element (i, j) is the product of
    1 − |i − c| / stride and 1 − |j − c| / stride, c = (k − 1) / 2, so the kernel sums to stride². Two sizes hold the
    whole tent: 2·stride, whose centre lies between two pixels, and 2·stride − 1, whose centre is a pixel.

    A transposed convolution with this kernel and stride equals `F.interpolate(mode="bilinear", align_corners=False)`
    in the interior if stride/2 pixels are cut off at each border (size 2·stride, even strides), or (stride − 1)/2
    (size 2·stride − 1, odd strides). Within stride/2 pixels of the border it is darker: where `interpolate` repeats the
    last value, here nothing is added.

    Source: Long, Shelhamer & Darrell (2015), section 3.3; sizes 64, 32, 16 and 4 for VGG16, 63 for AlexNet.

    Raises:
        ValueError: `stride` below 1, or another `size` than the two.

    >>> 4 * bilinear_kernel(2)[0]  # the first row of the outer product of (1, 3, 3, 1) / 4 with itself
    tensor([0.2500, 0.7500, 0.7500, 0.2500])
    >>> bilinear_kernel(32).shape, bilinear_kernel(32, size=63).shape
    (torch.Size([64, 64]), torch.Size([63, 63]))
    """
    if stride < 1:
        raise ValueError(f"stride: expected 1 or more, got {stride}")
    size = 2 * stride if size is None else size
    if size not in (2 * stride, 2 * stride - 1):
        raise ValueError(
            f"size: a bilinear kernel of stride {stride} has {2 * stride} or {2 * stride - 1} pixels a side, got {size}"
        )
    distance = (torch.arange(size) - (size - 1) / 2).abs()  # (k,)
    tent = 1 - distance / stride
    return tent[:, None] * tent


class BilinearDeconv(nn.ConvTranspose2d):
    """A transposed convolution that starts as bilinear interpolation, each channel by itself.

    Shapes: (N, K, H, W) → (N, K, (H − 1)·stride − 2·padding + kernel_size, …), kernel_size = 2·stride unless told
    otherwise: with padding 0 that is stride·H + stride, with padding stride/2 exactly stride·H.

    Weights: K²·kernel_size², as in the released FCN: from every channel to every channel, bilinear on the diagonal and
    0 elsewhere; no bias. With `learned=True` they are parameters, and training may mix channels too. With
    `learned=False` they are a constant, which belongs neither to `parameters()` nor to the `state_dict()`.

    Paper: Long, Shelhamer & Darrell (CVPR 2015), section 3.3.

    >>> upsample = BilinearDeconv(3, stride=2, padding=1)
    >>> upsample(torch.ones(1, 3, 4, 5)).shape, upsample.weight.shape, list(upsample.parameters())
    (torch.Size([1, 3, 8, 10]), torch.Size([3, 3, 4, 4]), [])
    """

    def __init__(
        self, channels: int, stride: int, *, kernel_size: int | None = None, padding: int = 0, learned: bool = False
    ):
        kernel_size = 2 * stride if kernel_size is None else kernel_size
        super().__init__(channels, channels, kernel_size, stride, padding, bias=False)
        if not learned:
            fixed = self.weight.detach()
            del self.weight
            self.register_buffer("weight", fixed, persistent=False)

    def reset_parameters(self) -> None:
        """Set the kernels to bilinear interpolation (`nn.ConvTranspose2d` calls this when it is built)."""
        nn.init.zeros_(self.weight)
        diagonal = torch.arange(self.in_channels)
        with torch.no_grad():
            self.weight[diagonal, diagonal] = bilinear_kernel(self.stride[0], self.kernel_size[0]).to(self.weight)
