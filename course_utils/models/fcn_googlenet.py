"""FCN on GoogLeNet: inception blocks, no fully connected layer but the scores."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_utils.layers.bilinear import BilinearDeconv
from course_utils.layers.initialization import he_init

_CROP = 98  # in pixels: where the image begins in the upsampled scores


class FCNGoogLeNet(nn.Module):
    """GoogLeNet without its last average pooling, scored at stride 32 and upsampled.

    Paper: Long, Shelhamer & Darrell, *Fully Convolutional Networks for Semantic Segmentation* (CVPR 2015), section 4.1,
    on the network of Szegedy et al. (2015), table 1, without its auxiliary heads.

    Shapes: (N, C, H, W) → logits (N, K, H, W), any H and W from 1 on. conv1 pads the image by 100 pixels; 98 pixels are
    cropped in the end, exactly. The scores' receptive field is 715 pixels wide (the 907 of the paper's table 1 are with
    the average pooling).

    Parameters: 5,995,077 for 3 channels and 21 classes; the fixed bilinear kernel has 1,750,329 numbers more.

    The scoring layer starts at 0, all other convolutions by He's rule.

    width: channels of conv1; all other widths keep their ratio to it.

    Differs from paper: its authors never published this network. Padding of 100 pixels and a kernel of side 63 are
    those of their AlexNet: GoogLeNet's kernels are odd too, so a kernel of 64 (1,806,336 numbers, as on VGG16) would
    leave every pixel half a pixel off. Random weights only: torchvision's pretrained GoogLeNet has batch normalisation
    and 3×3 kernels in place of 5×5.

    Raises ValueError unless `width` is a multiple of 8.
    """

    def __init__(self, num_classes: int, in_channels: int = 3, *, width: int = 64):
        super().__init__()
        if width < 8 or width % 8:
            raise ValueError(f"width: expected a multiple of 8, got {width}.")

        def inception(inputs: int, *outputs: int) -> Inception:
            return Inception(inputs * width // 64, *(channels * width // 64 for channels in outputs))

        self.conv1 = _conv(in_channels, width, 7, stride=2, padding=100)
        self.conv2 = nn.Sequential(_conv(width, width, 1), _conv(width, 3 * width, 3, padding=1))
        self.inception3a = inception(192, 64, 96, 128, 16, 32, 32)
        self.inception3b = inception(256, 128, 128, 192, 32, 96, 64)
        self.inception4a = inception(480, 192, 96, 208, 16, 48, 64)
        self.inception4b = inception(512, 160, 112, 224, 24, 64, 64)
        self.inception4c = inception(512, 128, 128, 256, 24, 64, 64)
        self.inception4d = inception(512, 112, 144, 288, 32, 64, 64)
        self.inception4e = inception(528, 256, 160, 320, 32, 128, 128)
        self.inception5a = inception(832, 256, 160, 320, 32, 128, 128)
        self.inception5b = inception(832, 384, 192, 384, 48, 128, 128)
        self.dropout = nn.Dropout(0.4)
        self.score = nn.Conv2d(16 * width, num_classes, 1)
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.norm = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75)
        he_init(self)
        nn.init.zeros_(self.score.weight)
        self.upscore = BilinearDeconv(num_classes, 32, kernel_size=63)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        x = self.norm(self.pool(self.conv1(images)))  # (N, 64, H/4, W/4), and more by the padding
        x = self.pool(self.norm(self.conv2(x)))  # (N, 192, H/8, W/8)
        x = self.pool(self.inception3b(self.inception3a(x)))  # (N, 480, H/16, W/16)
        x = self.inception4c(self.inception4b(self.inception4a(x)))  # (N, 512, H/16, W/16)
        x = self.pool(self.inception4e(self.inception4d(x)))  # (N, 832, H/32, W/32)
        x = self.inception5b(self.inception5a(x))  # (N, 1024, H/32, W/32)
        scores = self.score(self.dropout(x))  # (N, K, H/32, W/32)
        return self.upscore(scores)[..., _CROP : _CROP + height, _CROP : _CROP + width]  # (N, K, H, W)


class Inception(nn.Module):
    """Four branches, whose channels are concatenated: 1×1; 1×1 and 3×3; 1×1 and 5×5; pooling and 1×1."""

    def __init__(
        self, inputs: int, ones: int, threes_reduce: int, threes: int, fives_reduce: int, fives: int, pooled: int
    ):
        super().__init__()
        self.ones = _conv(inputs, ones, 1)
        self.threes = nn.Sequential(_conv(inputs, threes_reduce, 1), _conv(threes_reduce, threes, 3, padding=1))
        self.fives = nn.Sequential(_conv(inputs, fives_reduce, 1), _conv(fives_reduce, fives, 5, padding=2))
        self.pooled = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), _conv(inputs, pooled, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.ones(x), self.threes(x), self.fives(x), self.pooled(x)], dim=1)


def _conv(inputs: int, outputs: int, kernel: int, *, stride: int = 1, padding: int = 0) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding), nn.ReLU())
