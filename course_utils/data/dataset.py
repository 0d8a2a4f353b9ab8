"""What every data set of the course has in common."""

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from torch.utils.data import Dataset
from torchvision import tv_tensors

from course_utils.data.checks import check_sample, describe

Transform = Callable[..., tuple[torch.Tensor, ...]]


class DepthMap(tv_tensors.Mask):
    """Distances, float32 (H, W): transforms move it with the mask and never mix two of its values."""


class InstanceMap(tv_tensors.Mask):
    """Which object each pixel belongs to, int64 (H, W): 0 for none, then 1, 2, …; moved with the mask."""


class WeightMap(tv_tensors.Mask):
    """How much each pixel counts in the loss, float32 (H, W), 0 or more: moved with the mask."""


class SegmentationDataset(Dataset, ABC):
    """A data set of (image, mask) pairs, some with further maps of the same size.

    dataset[i] gives an image float32 (C, H, W) in [0, 1] and a mask int64 (H, W) with labels from 0 to K - 1 and
    `ignore_index` for void. `transform` gets them as `tv_tensors.Image` and `tv_tensors.Mask`, in this order, and
    returns as many tensors.

    A new data set sets the class attributes below and writes `__len__` and `read`.
    """

    splits: ClassVar[tuple[str, ...]] = ("train", "val", "test")
    classes: ClassVar[tuple[str, ...]]
    colours: ClassVar[tuple[tuple[int, int, int], ...]]  # of the classes, as shown in figures
    ignore_index: ClassVar[int] = 255
    channels: ClassVar[int] = 3

    def __init__(self, split: str, *, transform: Transform | None = None):
        self.split = split
        self.transform = transform

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def read(self, index: int) -> tuple[torch.Tensor, ...]:
        """Image, mask and further maps at 0 <= index < len, before the transform."""

    def source(self, index: int) -> str:
        """Where the sample at 0 <= index < len comes from, for error messages."""
        return f"sample {index} of {self.split}"

    @property
    def labelled(self) -> bool:
        """Whether the labels of this split are known; if not, its masks are void everywhere."""
        return True

    @property
    def palette(self) -> np.ndarray:
        """Colours of the classes, (K, 3) uint8: palette[mask] is a picture of a mask without void."""
        return np.array(self.colours, dtype=np.uint8)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, ...]:
        position = self._position(index)
        image, mask, *maps = self.read(position)
        try:
            check_sample(image, mask, len(self.classes), self.ignore_index, channels=self.channels)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{self.source(position)}: {error}") from None
        sample = (image, mask, *maps)
        if self.transform is not None:
            sample = self._transformed(tv_tensors.Image(image), tv_tensors.Mask(mask), *maps)
        return tuple(tensor.as_subclass(torch.Tensor) for tensor in sample)

    def _position(self, index: Any) -> int:
        try:
            position = operator.index(index)
        except TypeError:
            message = f"index: expected a whole number, got {index!r}. For several use torch.utils.data.Subset."
            raise TypeError(message) from None
        if not -len(self) <= position < len(self):
            raise IndexError(f"index {position} is out of range: {self.split} has {len(self)} samples.")
        return position % len(self)

    def _transformed(self, *sample: torch.Tensor) -> tuple[torch.Tensor, ...]:
        result = self.transform(*sample)
        if not isinstance(result, tuple | list) or len(result) != len(sample):
            raise TypeError(
                f"transform: expected it to return {len(sample)} tensors for {len(sample)}, got {describe(result)}. "
                "It must take and return image and mask together."
            )
        sizes = [tuple(tensor.shape[-2:]) for tensor in result]
        if len(set(sizes)) > 1:
            raise ValueError(
                f"transform: image and mask came back with sizes {sizes}. It must resize and crop them alike; "
                "the transforms in torchvision.transforms.v2 do."
            )
        return tuple(result)
