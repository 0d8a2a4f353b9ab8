"""Joint transforms of image and mask (and distances), built from torchvision's v2 transforms.

Masks are only ever moved, never mixed: each pixel of a resized mask is a pixel of the mask before. What a transform
adds around the picture is void in the mask, black in the image, infinitely far, of no instance and of weight 0.

Any other transform of `torchvision.transforms.v2` can join in: it knows the image from the mask by their types,
`tv_tensors.Image` and `tv_tensors.Mask`. Give `FILL` as its `fill`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional as F

from course_utils.data.checks import describe
from course_utils.data.dataset import DepthMap, InstanceMap, SegmentationDataset, WeightMap

FILL = {
    tv_tensors.Image: 0,
    tv_tensors.Mask: SegmentationDataset.ignore_index,
    DepthMap: float("inf"),
    InstanceMap: 0,
    WeightMap: 0,
}


def resize(tensor: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Resize an image (bilinear, antialiased) or a mask (nearest neighbour), (…, H, W) -> (…, *size).

    torchvision resizes masks by `NEAREST`, which takes the pixel at floor(i * H / H') and so moves them by up to half a
    pixel against the image; `NEAREST_EXACT` takes the one under the centre of the new pixel.
    """
    if isinstance(tensor, tv_tensors.Mask):
        pixels = tensor.as_subclass(torch.Tensor)[None]
        pixels = F.resize_image(pixels, list(size), interpolation=InterpolationMode.NEAREST_EXACT)
        return tv_tensors.wrap(pixels[0], like=tensor)
    return F.resize(tensor, list(size), antialias=True)


@dataclass(frozen=True)
class RandomScale:
    """Resize to fit into `size`, keeping the aspect ratio, times a random factor from `factors`."""

    size: tuple[int, int]
    factors: tuple[float, float]

    def __call__(self, image: torch.Tensor, *masks: torch.Tensor) -> tuple[torch.Tensor, ...]:
        check_types(image, *masks)
        low, high = self.factors
        factor = low + (high - low) * float(torch.rand(()))
        height, width = _fitted(image, self.size, factor)
        return tuple(resize(tensor, (height, width)) for tensor in (image, *masks))


@dataclass(frozen=True)
class Fit:
    """Resize to fit into `size`, keeping the aspect ratio, and pad to `size` on the right and at the bottom."""

    size: tuple[int, int]

    def __call__(self, image: torch.Tensor, *masks: torch.Tensor) -> tuple[torch.Tensor, ...]:
        check_types(image, *masks)
        height, width = _fitted(image, self.size, 1.0)
        margins = [0, 0, self.size[1] - width, self.size[0] - height]
        return tuple(
            F.pad(resize(tensor, (height, width)), margins, fill=FILL[type(tensor)]) for tensor in (image, *masks)
        )


class _Jitter(v2.ColorJitter):
    """Random brightness, contrast, saturation and hue of an image that has colours or is grey."""

    def forward(self, image: torch.Tensor, *masks: torch.Tensor) -> tuple[torch.Tensor, ...]:
        channels = image.shape[-3]
        if self.brightness is not None and channels not in (1, 3):
            raise ValueError(
                f"image: its colours cannot vary, it has {channels} channels, not 1 or 3. Give train_transform "
                "jitter=0 for this data set."
            )
        return super().forward(image, *masks)


def train_transform(
    size: tuple[int, int],
    *,
    scale: tuple[float, float] = (0.75, 1.5),
    jitter: float = 0.3,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> v2.Compose:
    """Random scale, crop, mirror and colours: image (C, H, W) -> (C, *size), mask (H, W) -> size, for any H and W.

    scale: 1 fits the whole picture into `size`; a larger picture is cropped, a smaller one padded, both at random.
    jitter: how much brightness, contrast and saturation of the image vary (0 to 1); 0 for an image that has neither
    one channel nor three. mean, std: when given, the image is normalised with them, last.
    """
    if not 0 < scale[0] <= scale[1]:
        raise ValueError(f"scale: expected 0 < smallest <= largest, got {scale}.")
    steps = [
        RandomScale(_checked(size), scale),
        v2.RandomCrop(size, pad_if_needed=True, fill=FILL),
        v2.RandomHorizontalFlip(),
        _Jitter(brightness=jitter, contrast=jitter, saturation=jitter, hue=jitter / 10),
    ]
    return v2.Compose(steps + _normalised(mean, std))


def eval_transform(
    size: tuple[int, int], *, mean: Sequence[float] | None = None, std: Sequence[float] | None = None
) -> v2.Compose:
    """Nothing random: image (C, H, W) -> (C, *size), mask (H, W) -> size, for any H and W.

    The whole picture is fitted into `size` and keeps its aspect ratio; the rest is padded and void. mean, std: as in
    `train_transform`.
    """
    return v2.Compose([Fit(_checked(size)), *_normalised(mean, std)])


def check_types(image: torch.Tensor, *masks: torch.Tensor) -> None:
    """Plain tensors would pass for images, and a mask's labels would be mixed."""
    if not isinstance(image, tv_tensors.Image):
        raise TypeError(f"image: expected a tv_tensors.Image, got {describe(image)}. Use tv_tensors.Image(image).")
    for mask in masks:
        if not isinstance(mask, tv_tensors.Mask):
            raise TypeError(f"mask: expected a tv_tensors.Mask, got {describe(mask)}. Use tv_tensors.Mask(mask).")


def _fitted(image: torch.Tensor, size: tuple[int, int], factor: float) -> tuple[int, int]:
    """The size of the image when it is fitted into `size` and then scaled, at least one pixel each way."""
    height, width = image.shape[-2:]
    ratio = min(size[0] / height, size[1] / width) * factor
    return max(round(height * ratio), 1), max(round(width * ratio), 1)


def _normalised(mean: Sequence[float] | None, std: Sequence[float] | None) -> list[v2.Transform]:
    if (mean is None) != (std is None):
        raise ValueError("mean, std: expected both or neither, got only one of them.")
    return [] if mean is None else [v2.Normalize(mean=list(mean), std=list(std))]


def _checked(size: tuple[int, int]) -> tuple[int, int]:
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"size: expected (height, width), both at least 1, got {size!r}.")
    return size
