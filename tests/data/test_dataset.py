"""What every data set has in common, seen on the smallest one."""

import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from torchvision import tv_tensors
from torchvision.transforms import v2

from course_utils.data.dataset import DepthMap, SegmentationDataset


class Stripes(SegmentationDataset):
    """Image i is all i / 10, its mask all i."""

    classes = tuple("abcde")
    colours = tuple((n, 2 * n, 3 * n) for n in range(5))
    with_depth = False

    def __len__(self):
        return 5

    def read(self, index):
        sample = (torch.full((3, 4, 6), index / 10), torch.full((4, 6), index))
        return (*sample, DepthMap(torch.full((4, 6), 2.0))) if self.with_depth else sample


class Deep(Stripes):
    with_depth = True


class Grey(Stripes):
    channels = 1

    def read(self, index):
        image, mask = super().read(index)
        return image[:1], mask


def labels(dataset):
    return [int(mask[0, 0]) for _, mask in dataset]


def test_iteration_ends_and_counts_from_both_ends():
    dataset = Stripes("train")
    assert labels(dataset) == [0, 1, 2, 3, 4]
    assert [int(dataset[i][1][0, 0]) for i in (-1, -5, np.int64(2), torch.tensor(3))] == [4, 0, 2, 3]


@pytest.mark.parametrize("index", [5, -6, 10**9])
def test_index_out_of_range(index):
    with pytest.raises(IndexError, match=f"index {index} is out of range: val has 5 samples"):
        Stripes("val")[index]


@pytest.mark.parametrize("index", [slice(2), 1.0, "1", None, [1]])
def test_index_that_is_no_number(index):
    with pytest.raises(TypeError, match="index: expected a whole number, got .* torch.utils.data.Subset"):
        Stripes("train")[index]


def test_palette_is_an_array_of_its_own():
    dataset = Stripes("train")
    assert dataset.palette.dtype == np.uint8 and dataset.palette.tolist()[4] == [4, 8, 12]
    dataset.palette[:] = 0
    assert dataset.palette.any()


def test_transform_gets_image_mask_and_depth_as_what_they_are():
    seen = []

    def transform(*sample):
        seen.extend(type(tensor) for tensor in sample)
        return sample

    sample = Deep("train", transform=transform)[1]
    assert seen == [tv_tensors.Image, tv_tensors.Mask, DepthMap]
    assert [type(tensor) for tensor in sample] == [torch.Tensor] * 3
    assert [type(tensor) for tensor in Deep("train")[1]] == [torch.Tensor] * 3


def test_transform_changes_the_sample():
    image, mask = Stripes("train", transform=v2.Resize((2, 3)))[4]
    assert image.shape == (3, 2, 3) and mask.shape == (2, 3) and mask.unique().tolist() == [4]
    assert image.dtype == torch.float32 and mask.dtype == torch.int64


@pytest.mark.parametrize(
    "result", [lambda image, mask: image, lambda image, mask: (image, mask, mask), lambda *_: None]
)
def test_transform_that_loses_the_mask(result):
    with pytest.raises(TypeError, match="transform: expected it to return 2 tensors for 2, got"):
        Stripes("train", transform=result)[0]


def test_transform_that_forgets_the_mask():
    with pytest.raises(ValueError, match=r"came back with sizes \[\(2, 3\), \(4, 6\)\]"):
        Stripes("train", transform=lambda image, mask: (image[:, :2, :3], mask))[0]


def test_samples_are_checked():
    class Wrong(Stripes):
        classes = ("a", "b")

    with pytest.raises(ValueError, match="^sample 2 of train: mask: labels must be 0 to 1"):
        Wrong("train")[2]
    with pytest.raises(ValueError, match="^sample 4 of val: mask: labels must be 0 to 1"):
        Wrong("val")[-1]
    assert Grey("train")[0][0].shape == (1, 4, 6)
    Grey.channels = 3
    try:
        with pytest.raises(ValueError, match="image"):
            Grey("train")[0]
    finally:
        Grey.channels = 1


def test_void_is_each_data_sets_own():
    class Other(Stripes):
        ignore_index = 9

        def read(self, index):
            return torch.zeros(3, 4, 6), torch.full((4, 6), 9)

    assert Other("train")[0][1].unique().tolist() == [9]


def test_data_loader_with_workers_gives_the_same():
    dataset = pickle.loads(pickle.dumps(Stripes("train", transform=v2.RandomHorizontalFlip(p=1))))
    batches = list(DataLoader(dataset, batch_size=2, num_workers=2))
    assert [images.shape for images, _ in batches] == [(2, 3, 4, 6), (2, 3, 4, 6), (1, 3, 4, 6)]
    assert torch.cat([masks[:, 0, 0] for _, masks in batches]).tolist() == [0, 1, 2, 3, 4]


def test_a_data_set_must_say_its_length_and_how_to_read():
    class Unfinished(SegmentationDataset):
        def read(self, index): ...

    with pytest.raises(TypeError, match="__len__"):
        Unfinished("train")

    class Unreadable(SegmentationDataset):
        def __len__(self): ...

    with pytest.raises(TypeError, match="read"):
        Unreadable("train")
