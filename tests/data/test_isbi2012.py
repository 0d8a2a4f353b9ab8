"""ISBI 2012: small files made here, and the real ones where they are."""

import numpy as np
import pytest
import torch

from course_utils.data import load_dataset
from tests.data.files import greys, write_image

SPLITS = {"train": range(20), "val": range(20, 25), "test": range(25, 30)}


@pytest.fixture
def root(tmp_path):
    for i in range(30):
        write_image(tmp_path / "train" / "image" / f"{i}.png", greys(i, list(range(i, i + 20))))
        write_image(tmp_path / "train" / "label" / f"{i}.png", greys(i, [0, 255, 255]))
    write_image(tmp_path / "train" / "aug" / "image_0_1.png", greys(0, [0]))
    return tmp_path


def test_images_and_masks_belong_together(root):
    for split, slices in SPLITS.items():
        dataset = load_dataset("isbi2012", split, root=root)
        assert len(dataset) == len(slices) and dataset.labelled
        for i, (image, mask) in zip(slices, dataset, strict=True):
            assert np.array_equal((image * 255).round().numpy()[0], greys(i, list(range(i, i + 20))))
            assert np.array_equal(mask.numpy(), greys(i, [0, 255, 255]) == 255)


def test_the_splits_are_apart_and_cover_all():
    assert sorted(i for slices in SPLITS.values() for i in slices) == list(range(30))


def test_one_channel_becomes_three_in_a_transform(root):
    dataset = load_dataset("isbi2012", "val", root=root, transform=lambda image, mask: (image.expand(3, -1, -1), mask))
    image, _ = dataset[0]
    assert image.shape == (3, 4, 6) and torch.equal(image[0], image[2])


@pytest.mark.parametrize("place", ["data/membrane", "unet-909ae9b/data/membrane"])
def test_the_download_as_it_unpacks(root, tmp_path_factory, place):
    outer = tmp_path_factory.mktemp("outer")
    (outer / place).parent.mkdir(parents=True)
    root.rename(outer / place)
    assert len(load_dataset("isbi2012", "test", root=outer)) == 5


def test_no_image_at_all(root):
    for i in SPLITS["val"]:
        (root / "train" / "image" / f"{i}.png").unlink()
    with pytest.raises(ValueError, match="isbi2012: the split 'val' is empty"):
        load_dataset("isbi2012", "val", root=root)


@pytest.mark.parametrize("folder", ["image", "label"])
def test_one_file_is_missing(root, folder):
    (root / "train" / folder / "3.png").unlink()
    with pytest.raises(FileNotFoundError, match=rf"{folder}.3\.png is missing"):
        load_dataset("isbi2012", "train", root=root)[3]


def test_label_saved_with_loss(root):
    write_image(root / "train" / "label" / "0.png", greys(0, [0, 3, 252, 255]))
    with pytest.raises(ValueError, match=r"label.0\.png: the values 3, 252 in 12 pixels .* expected 0, 255\."):
        load_dataset("isbi2012", "train", root=root)[0]


def test_colour_image(root):
    write_image(root / "train" / "image" / "0.png", np.zeros((4, 6, 3), np.uint8))
    with pytest.raises(ValueError, match=r"image.0\.png: expected a grey image"):
        load_dataset("isbi2012", "train", root=root)[0]


def test_the_real_files(shared_datasets):
    if shared_datasets is None:
        pytest.skip("the real ISBI 2012 is not beside the checkout, in ../shared/datasets/isbi2012")
    for split, slices in SPLITS.items():
        dataset = load_dataset("isbi2012", split, root=shared_datasets / "isbi2012")
        assert len(dataset) == len(slices)
        for image, mask in dataset:
            assert image.shape == (1, 512, 512) and mask.shape == (512, 512) and mask.unique().tolist() == [0, 1]
            assert image[0][mask == 0].mean() < image[0][mask == 1].mean()  # membranes are dark
            assert 0.6 < mask.float().mean() < 0.9
