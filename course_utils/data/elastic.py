"""Elastic deformation: tissue that is bent a little is still tissue, and so a few images go a long way.

load_dataset("cells", "train", instances=True, transform=ElasticDeformation())
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import map_coordinates
from torchvision import tv_tensors

from course_utils.data.checks import describe
from course_utils.data.dataset import WeightMap
from course_utils.data.transforms import check_types

_GRID = 3


@dataclass(frozen=True)
class ElasticDeformation:
    """Bend an image and all that belongs to it alike, by smooth random displacements.

    Image and weights are interpolated bilinearly, labels, instances and distances are taken from the nearest pixel.
    Beyond the border the picture is mirrored, so no void appears. Random numbers are torch's (`torch.manual_seed`).

    sigma: standard deviation of the displacements on the grid, in pixels.

    Source: Ronneberger, Fischer & Brox, *U-Net* (2015), section 3.1: a 3 × 3 grid, 10 pixels, for 512 × 512 images.
    Pictures of 96 × 128 pixels are bent as much by 2 pixels.

    >>> image, mask = tv_tensors.Image(torch.rand(1, 20, 30)), tv_tensors.Mask(torch.ones(20, 30, dtype=torch.int64))
    >>> bent, bent_mask = ElasticDeformation(sigma=2.0)(image, mask)
    >>> bent.shape, bent_mask.unique().tolist()
    (torch.Size([1, 20, 30]), [1])
    """

    sigma: float = 10.0

    def __post_init__(self) -> None:
        if not self.sigma >= 0:
            raise ValueError(f"sigma is {self.sigma}; expected a number of pixels, 0 or more.")

    def __call__(self, image: torch.Tensor, *masks: torch.Tensor) -> tuple[torch.Tensor, ...]:
        check_types(image, *masks)
        displacement = smooth_displacement(tuple(image.shape[-2:]), self.sigma)
        return tuple(deform(tensor, displacement) for tensor in (image, *masks))


def smooth_displacement(size: tuple[int, int], sigma: float) -> torch.Tensor:
    """How far each pixel is moved down and right, (2, H, W) float32 in pixels; torch's generator gives the numbers.

    Normal displacements of standard deviation sigma on a grid of 3 × 3 points, from corner to corner of the picture;
    between them bicubic interpolation, which is smooth and goes through the nine points.
    """
    corners = sigma * torch.randn(1, 2, _GRID, _GRID)
    return F.interpolate(corners, size, mode="bicubic", align_corners=True)[0]


def deform(tensor: torch.Tensor, displacement: torch.Tensor) -> torch.Tensor:
    """Fill pixel (y, x) with what is at (y, x) + displacement[:, y, x], mirrored at the border; (…, H, W), same type.

    An image or a `WeightMap` is interpolated bilinearly; of any other `tv_tensors.Mask` the nearest pixel is taken.

    Raises ValueError if the displacement is not (2, H, W).
    """
    size = tuple(tensor.shape[-2:])
    if displacement.shape != (2, *size):
        raise ValueError(f"displacement: expected shape (2, H, W) = {(2, *size)}, got {describe(displacement)}.")
    places = np.indices(size) + displacement.double().numpy()  # (2, H, W): row and column
    mixes = isinstance(tensor, WeightMap) or not isinstance(tensor, tv_tensors.Mask)
    planes = tensor.as_subclass(torch.Tensor).numpy().reshape(-1, *size)
    bent = np.stack([map_coordinates(plane, places, order=int(mixes), mode="mirror") for plane in planes])
    return tv_tensors.wrap(torch.from_numpy(bent).reshape(tensor.shape), like=tensor)
