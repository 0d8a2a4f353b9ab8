"""Tianchi buildings: images and one table of run-length encoded masks."""

import numpy as np
import pytest

from course_utils.data import load_dataset
from course_utils.data.rle import encode
from tests.data.files import colours, greys, write_image

SIZE = (5, 8)
NAMES = [f"{letter}1.jpg" for letter in "ABCDEFGHIJKLM"]
EMPTY = {"B1.jpg": "", "C1.jpg": "NaN", "D1.jpg": "nan"}


def mask_of(name):
    return np.zeros(SIZE, np.uint8) if name in EMPTY else greys(ord(name[0]), [0, 0, 1], SIZE)


@pytest.fixture
def root(tmp_path):
    for name in NAMES:
        write_image(tmp_path / "train" / name, colours(ord(name[0]), SIZE))
    lines = [f"{name}\t{EMPTY.get(name, encode(mask_of(name)))}" for name in reversed(NAMES)]
    (tmp_path / "train_mask.csv").write_text("\n".join(lines) + "\n")
    for name in ("X1.jpg", "Y1.jpg"):
        write_image(tmp_path / "test_a" / name, colours(0, SIZE))
    return tmp_path


def set_line(root, name, line):
    path = root / "train_mask.csv"
    lines = path.read_text().splitlines()
    lines[NAMES[::-1].index(name)] = line
    path.write_text("\n".join(lines))


def test_images_and_masks_belong_together(root):
    for split in ("train", "val"):
        dataset = load_dataset("tianchi_buildings", split, root=root)
        assert dataset.labelled
        for pair, (image, mask) in zip(dataset.samples, dataset, strict=True):
            assert image.shape == (3, *SIZE) and mask.is_contiguous()
            assert np.array_equal(mask.numpy(), mask_of(pair.image.name))


def test_every_tenth_image_is_in_val(root):
    names = {
        split: [pair.image.name for pair in load_dataset("tianchi_buildings", split, root=root).samples]
        for split in ("train", "val")
    }
    assert names["val"] == ["A1.jpg", "K1.jpg"]
    assert names["train"] == [name for name in NAMES if name not in names["val"]]


def test_a_head_line_is_skipped(root):
    path = root / "train_mask.csv"
    path.write_bytes(b"\xef\xbb\xbfname\tmask\r\n" + path.read_bytes().replace(b"\n", b"\r\n"))
    dataset = load_dataset("tianchi_buildings", "train", root=root)
    assert len(dataset) == 11
    for pair, (_, mask) in zip(dataset.samples, dataset, strict=True):
        assert np.array_equal(mask.numpy(), mask_of(pair.image.name))


def test_test_images_have_void_masks(root):
    dataset = load_dataset("tianchi_buildings", "test", root=root)
    assert len(dataset) == 2 and not dataset.labelled
    assert all(mask.shape == SIZE and (mask == 255).all() for _, mask in dataset)


def test_runs_of_another_image(root):
    set_line(root, "B1.jpg", "B1.jpg\t40 2")
    with pytest.raises(ValueError) as raised:
        load_dataset("tianchi_buildings", "train", root=root)[0]
    assert str(raised.value).startswith(
        f"{root / 'train_mask.csv'}, mask of B1.jpg: runs: the last run ends at pixel 41"
    )


@pytest.mark.parametrize("line", ["B1.jpg", "B1.jpg 3 4", "\t3 4"])
def test_line_without_a_name_or_a_tab(root, line):
    set_line(root, "B1.jpg", line)
    with pytest.raises(ValueError, match=r"train_mask\.csv, line 12: expected a name, a tab and a mask, got"):
        load_dataset("tianchi_buildings", "train", root=root)


def test_two_masks_for_one_image(root):
    set_line(root, "B1.jpg", "M1.jpg\t3 4")
    with pytest.raises(ValueError, match=r"train_mask\.csv, line 12: a second mask for M1\.jpg"):
        load_dataset("tianchi_buildings", "train", root=root)


def test_every_bad_line_is_told(root):
    set_line(root, "B1.jpg", "M1.jpg\t3 4")
    set_line(root, "E1.jpg", "nothing")
    with pytest.raises(ValueError) as raised:
        load_dataset("tianchi_buildings", "val", root=root)
    first, second = str(raised.value).splitlines()
    assert "line 9: expected a name" in first and "line 12: a second mask" in second


def test_image_that_is_missing(root):
    (root / "train" / "B1.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"train.B1\.jpg is missing"):
        load_dataset("tianchi_buildings", "train", root=root)[0]


def test_empty_table(root):
    (root / "train_mask.csv").write_text("name\tmask\n\n")
    with pytest.raises(ValueError, match="tianchi_buildings: the split 'train' is empty"):
        load_dataset("tianchi_buildings", "train", root=root)
