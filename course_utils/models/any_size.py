"""Images of any size for networks that take multiples of their stride only."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class AnySize(nn.Module):
    """A segmentation network that takes images of any size.

    Shapes: (N, C, H, W) → logits (N, K, H, W). The image is padded with zeros (the mean, if images are normalised) on
    the right and at the bottom up to multiples of `stride`; what the network says there is cut off.
    """

    def __init__(self, network: nn.Module, stride: int):
        super().__init__()
        self.network, self.stride = network, stride

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        images = F.pad(images, (0, -width % self.stride, 0, -height % self.stride))
        return self.network(images)[..., :height, :width]
