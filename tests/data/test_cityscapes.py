"""Cityscapes in its official layout, with 34 ids and with 19 train ids."""

import numpy as np
import pytest

from course_utils.data import load_dataset
from tests.data.files import colours, greys, write_image

SIZE = (5, 8)
FRAMES = {
    "train": ["aachen/aachen_000000_000019", "aachen/aachen_000001_000019", "bremen/bremen_000000_000019"],
    "val": ["lindau/lindau_000000_000019"],
    "test": ["berlin/berlin_000000_000019"],
}
# The table of the data set's authors: train id of each of the ids 0 to 33.
TRAIN_IDS = [255, 255, 255, 255, 255, 255, 255, 0, 1, 255, 255, 2, 3, 4, 255, 255, 255, 5, 255, 6, 7, 8, 9, 10, 11, 12,
             13, 14, 15, 255, 255, 16, 17, 18]  # fmt: skip


def ids(seed):
    return greys(seed, list(range(34)), SIZE)


@pytest.fixture
def root(tmp_path):
    for split, frames in FRAMES.items():
        for seed, frame in enumerate(frames):
            write_image(tmp_path / "leftImg8bit" / split / f"{frame}_leftImg8bit.png", colours(seed, SIZE))
            fine = tmp_path / "gtFine" / split / frame
            labels = np.full(SIZE, 3, np.uint8) if split == "test" else ids(seed)
            write_image(fine.with_name(f"{fine.name}_gtFine_labelIds.png"), labels)
            write_image(fine.with_name(f"{fine.name}_gtFine_instanceIds.png"), np.zeros(SIZE, np.uint8))
            write_image(fine.with_name(f"{fine.name}_gtFine_color.png"), colours(0, SIZE))
            fine.with_name(f"{fine.name}_gtFine_polygons.json").write_text("{}")
            image = tmp_path / "leftImg8bit" / split / f"{frame}_leftImg8bit.png"
            image.with_name(f"._{image.name}").write_text("macOS's notes")
    return tmp_path


def mask_file(root, ending):
    return root / "gtFine" / "train" / "bremen" / f"bremen_000000_000019_gtFine_{ending}.png"


def test_images_and_masks_belong_together(root):
    for split in ("train", "val"):
        dataset = load_dataset("cityscapes", split, root=root)
        assert len(dataset) == len(FRAMES[split]) and dataset.labelled
        for seed, (image, mask) in enumerate(dataset):
            assert np.array_equal((image * 255).round().permute(1, 2, 0).numpy(), colours(seed, SIZE))
            assert np.array_equal(mask.numpy(), np.array(TRAIN_IDS)[ids(seed)])


def test_every_class_has_one_id():
    assert sorted(label for label in TRAIN_IDS if label != 255) == list(range(19))


def test_train_ids_where_there_are_no_ids(root):
    labels = greys(5, [*range(19), 255], SIZE)
    write_image(mask_file(root, "labelTrainIds"), labels)
    assert np.array_equal(load_dataset("cityscapes", "train", root=root)[2][1], np.array(TRAIN_IDS)[ids(2)])
    mask_file(root, "labelIds").unlink()
    assert np.array_equal(load_dataset("cityscapes", "train", root=root)[2][1], labels)


def test_ids_are_not_taken_for_train_ids(root):
    write_image(mask_file(root, "labelTrainIds"), greys(5, [0, 19], SIZE))
    mask_file(root, "labelIds").unlink()
    with pytest.raises(ValueError, match=r"labelTrainIds\.png: the values 19 in 20 pixels .* expected 0 to 18, 255\."):
        load_dataset("cityscapes", "train", root=root)[2]


def test_id_out_of_range(root):
    write_image(mask_file(root, "labelIds"), greys(5, [0, 34, 255], SIZE))
    with pytest.raises(ValueError, match=r"labelIds\.png: the values 34, 255 in .* expected 0 to 33\."):
        load_dataset("cityscapes", "train", root=root)[2]


def test_missing_mask_is_asked_for_by_its_official_name(root):
    mask_file(root, "labelIds").unlink()
    with pytest.raises(FileNotFoundError, match=r"bremen_000000_000019_gtFine_labelIds\.png is missing"):
        load_dataset("cityscapes", "train", root=root)[2]


def test_test_images_have_void_masks(root):
    dataset = load_dataset("cityscapes", "test", root=root)
    assert not dataset.labelled and len(dataset) == 1
    image, mask = dataset[0]
    assert np.array_equal((image * 255).round().permute(1, 2, 0).numpy(), colours(0, SIZE))
    assert mask.shape == SIZE and (mask == 255).all()


def test_no_images(root):
    (root / "leftImg8bit" / "val" / "lindau" / "lindau_000000_000019_leftImg8bit.png").unlink()
    with pytest.raises(ValueError, match="cityscapes: the split 'val' is empty"):
        load_dataset("cityscapes", "val", root=root)


def test_only_the_images_were_unpacked(root, tmp_path):
    (root / "gtFine").rename(root / "gtCoarse")
    with pytest.raises(FileNotFoundError, match="expected leftImg8bit/train and gtFine/train there.*gtFine_trainval"):
        load_dataset("cityscapes", "train", root=root)
