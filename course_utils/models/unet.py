"""U-Net: an encoder, a decoder as large as it, and the encoder's maps handed across at each resolution."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.data.names import unknown

_PADDINGS = ("valid", "same")
_STRIDE = 16  # of the lowest maps: four poolings
_SMALLEST = 188  # side of an image without padding: the logits are then 4×4, with 172 none would be left


class UNet(nn.Module):
    """Contracting path, bottom, expanding path; the skips are cropped and concatenated.

    Paper: Ronneberger, Fischer & Brox, *U-Net: Convolutional Networks for Biomedical Image Segmentation* (MICCAI 2015),
    section 2 and figure 1.

    Shapes: (N, C, H, W) → logits (N, K, H - 184, W - 184) of the image's centre. H and W must be 12 more than a
    multiple of 16, and at least 188; 572 gives 388. With padding="same": any H and W → logits (N, K, H, W).

    Parameters: 31,030,658 for one channel and two classes: 65 more for a class, 576 more for a channel.

    Differs from paper: the paper names neither the rate nor the exact place of its dropout "at the end of the
    contracting path"; here it is 0.5, after the bottom's two convolutions. The paper starts from He's Gaussian weights,
    standard deviation √(2 / N), as we do, and doesn't mention biases; here they start at 0.

    padding: "valid" (the paper's), where every 3×3 convolution takes a frame of one pixel away; or "same", where it
    adds a frame of zeros first and every map keeps its size. Images are then padded with zeros on the right and at the
    bottom to multiples of 16, and what the network says there is cut off.
    width: channels of the first level; they double from level to level. The paper's is 64.

    Raises ValueError for another padding, a width below 1, and images of a size that the padding "valid" can't take.
    """

    def __init__(self, num_classes: int, in_channels: int = 3, *, padding: str = "valid", width: int = 64):
        super().__init__()
        if padding not in _PADDINGS:
            raise unknown("padding", padding, _PADDINGS)
        if width < 1:
            raise ValueError(f"width: expected 1 or more, got {width}.")
        self.padding = padding
        w1, w2, w3, w4, w5 = (width * 2**level for level in range(5))
        self.pool = nn.MaxPool2d(2)
        self.down1 = Convolutions(in_channels, w1, padding)
        self.down2 = Convolutions(w1, w2, padding)
        self.down3 = Convolutions(w2, w3, padding)
        self.down4 = Convolutions(w3, w4, padding)
        self.bottom = Convolutions(w4, w5, padding)
        self.dropout = nn.Dropout(0.5)
        self.up4 = UpAndConcat(w5, w4, padding)
        self.up3 = UpAndConcat(w4, w3, padding)
        self.up2 = UpAndConcat(w3, w2, padding)
        self.up1 = UpAndConcat(w2, w1, padding)
        self.score = nn.Conv2d(w1, num_classes, 1)
        self.apply(_he_init)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        if self.padding == "same":
            images = F.pad(images, (0, -width % _STRIDE, 0, -height % _STRIDE))
        else:
            _check_size(height, width)
        level1 = self.down1(images)  # (N, 64, H, W), side 568 of 572 if valid
        level2 = self.down2(self.pool(level1))  # (N, 128, H/2, W/2), 280
        level3 = self.down3(self.pool(level2))  # (N, 256, H/4, W/4), 136
        level4 = self.down4(self.pool(level3))  # (N, 512, H/8, W/8), 64
        features = self.dropout(self.bottom(self.pool(level4)))  # (N, 1024, H/16, W/16), 28
        features = self.up4(features, level4)  # (N, 512, H/8, W/8), 52
        features = self.up3(features, level3)  # (N, 256, H/4, W/4), 100
        features = self.up2(features, level2)  # (N, 128, H/2, W/2), 196
        features = self.up1(features, level1)  # (N, 64, H, W), 388
        return self.score(features)[..., :height, :width]  # (N, K, H, W), 388


class Convolutions(nn.Sequential):
    """Two 3×3 convolutions, each followed by a ReLU: the blue arrows of the figure."""

    def __init__(self, in_channels: int, out_channels: int, padding: str):
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=padding),
            nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, 3, padding=padding),
            nn.ReLU(),
        )


class UpAndConcat(nn.Module):
    """The 2×2 up-convolution (green), the cropped skip beside it (grey), two convolutions (blue)."""

    def __init__(self, in_channels: int, out_channels: int, padding: str):
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2)
        self.convolutions = Convolutions(2 * out_channels, out_channels, padding)

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        features = self.up(features)  # (N, C, 2h, 2w)
        skip = center_crop(skip, tuple(features.shape[-2:]))  # (N, C, 2h, 2w)
        return self.convolutions(torch.cat([skip, features], dim=1))  # from (N, 2C, 2h, 2w)


def center_crop(tensor: Tensor, size: tuple[int, int]) -> Tensor:
    """The middle of maps or masks (…, H, W), as large as `size` = (rows, columns): a view, not a copy.

    Raises ValueError if `size` is larger than the tensor, or if it can't lie in the middle: the same number of rows
    must go at the top and at the bottom, of columns at the left and at the right.

    >>> center_crop(torch.arange(24).view(4, 6), (2, 2))
    tensor([[ 8,  9],
            [14, 15]])
    """
    (height, width), (rows, columns) = tensor.shape[-2:], size
    if not (1 <= rows <= height and 1 <= columns <= width):
        raise ValueError(f"size: expected 1 to {height} rows and 1 to {width} columns, got {rows}×{columns}.")
    if (height - rows) % 2 or (width - columns) % 2:
        raise ValueError(
            f"size: {rows}×{columns} has no place in the middle of {height}×{width}: the margins would differ by one. "
            "Both sides must shrink by an even number."
        )
    top, left = (height - rows) // 2, (width - columns) // 2
    return tensor[..., top : top + rows, left : left + columns]


def _check_size(height: int, width: int) -> None:
    near = [_nearest(side) for side in (height, width)]
    if near == [[height], [width]]:
        return
    rows, columns = (" or ".join(map(str, sides)) for sides in near)
    raise ValueError(
        f"images: a U-Net without padding takes sides of 188, 204, 220 … pixels (12 more than a multiple of 16), got "
        f"{height}×{width}. The nearest are {rows} rows and {columns} columns: crop the images, or extend them by "
        'mirroring. A network with padding="same" takes any size.'
    )


def _nearest(side: int) -> list[int]:
    """The valid sides next to `side`, or itself."""
    below = side - (side - 12) % _STRIDE
    if below == side and side >= _SMALLEST:
        return [side]
    return [near for near in (below, below + _STRIDE) if near >= _SMALLEST] or [_SMALLEST]


def _he_init(module: nn.Module) -> None:
    """Normal weights of standard deviation √(2 / N), N the inputs that one output adds up; biases 0."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        taps = 1 if isinstance(module, nn.ConvTranspose2d) else module.kernel_size[0] * module.kernel_size[1]
        nn.init.normal_(module.weight, std=(2 / (taps * module.in_channels)) ** 0.5)
        nn.init.zeros_(module.bias)
