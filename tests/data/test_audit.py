"""The check of a data set on disk: it finds every problem, each with its file, and counts pixels exactly."""

from dataclasses import replace

import pytest
import torch

from course_utils.data import load_dataset
from course_utils.data.audit import audit, report
from course_utils.data.catalogue import CATALOGUE
from tests.data.files import colours, greys, write_image

COUNTS = {"train": 3, "val": 1, "test": 2}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Data sets with these official counts."""
    for name in ("camvid", "cityscapes"):
        monkeypatch.setitem(CATALOGUE, name, replace(CATALOGUE[name], counts=COUNTS))


@pytest.fixture
def camvid(tmp_path):
    for split, count in COUNTS.items():
        for i in range(count):
            write_image(tmp_path / split / f"{i}.png", colours(i))
            write_image(tmp_path / f"{split}annot" / f"{i}.png", greys(i, [0, 0, 4, 10, 11, 11, 11, 3]))
    return tmp_path


def problems(root):
    return {found.split: found.problems for found in audit("camvid", root, progress=False) if found.problems}


def test_a_good_set(camvid):
    audits = audit("camvid", camvid, progress=False)
    assert [found.split for found in audits] == ["train", "val", "test"]
    assert [found.count for found in audits] == [3, 1, 2] and not problems(camvid)
    for found, count in zip(audits, (3, 1, 2), strict=True):
        assert dict(enumerate(found.pixels)) == {**dict.fromkeys(range(11), 0), 0: 6 * count, 4: 3 * count,
                                                 10: 3 * count, 3: 3 * count}  # fmt: skip
        assert found.void == 9 * count
    lines = report("camvid", audits).splitlines()
    assert lines[0].split() == ["train", "3", "of", "3", "images"]
    assert [line.split() for line in lines if "sky" in line or "void" in line or "pole" in line] == [
        ["sky", *["25.00", "%"] * 3],
        ["pole", *["0.00", "%"] * 3],
        ["void", *["37.50", "%"] * 3],
    ]
    assert lines[-1] == "✓ camvid is complete."


def test_progress_is_shown(camvid, capsys):
    audit("camvid", camvid)
    assert "camvid train: 100%" in capsys.readouterr().err


def test_every_problem_is_told_with_its_file(camvid):
    whole = (camvid / "train" / "0.png").read_bytes()
    (camvid / "train" / "0.png").write_bytes(whole[: len(whole) // 2])
    write_image(camvid / "trainannot" / "1.png", greys(0, [0], (6, 4)))
    (camvid / "trainannot" / "2.png").unlink()
    write_image(camvid / "valannot" / "0.png", greys(0, [12]))
    write_image(camvid / "test" / "0.png", greys(0, [1]))
    found = problems(camvid)
    assert [len(found[split]) for split in ("train", "val", "test")] == [3, 1, 1]
    for (split, i), words in {
        ("train", 0): ("train", "0.png is damaged"),
        ("train", 1): ("train", "1.png: mask: its size 6 x 4 is not that of the image, 4 x 6"),
        ("train", 2): ("trainannot", "2.png is missing"),
        ("val", 0): ("valannot", "0.png: the values 12 in 24 pixels stand for no class"),
        ("test", 0): ("test", "0.png: expected a colour image"),
    }.items():
        folder, message = words
        assert message in found[split][i] and str(camvid / folder) in found[split][i]
    lines = report("camvid", audit("camvid", camvid, progress=False)).splitlines()
    assert lines[-1] == "✗ camvid: 5 problems."
    assert [line[2:] for line in lines[-6:-1]] == [*found["train"], *found["val"], *found["test"]]


def test_damage_that_a_decoder_overlooks(camvid):
    """A flipped bit in any byte of a mask is found, or changes no label."""
    path = camvid / "trainannot" / "0.png"
    whole = path.read_bytes()
    before = load_dataset("camvid", "train", root=camvid)[0][1]
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        found = audit("camvid", camvid, progress=False)[0]
        if not found.problems:
            assert torch.equal(load_dataset("camvid", "train", root=camvid)[0][1], before), f"byte {position}"


@pytest.mark.parametrize(("add", "words"), [(False, "train has 2 images, officially 3: some are missing"),
                                            (True, "train has 4 images, officially 3: there are others")])  # fmt: skip
def test_another_number_of_images(camvid, add, words):
    if add:
        write_image(camvid / "train" / "3.png", colours(0))
        write_image(camvid / "trainannot" / "3.png", greys(0, [0]))
    else:
        (camvid / "train" / "2.png").unlink()
    found = problems(camvid)
    assert list(found) == ["train"] and found["train"][0].startswith(words)
    assert str(camvid) in found["train"][0]
    assert report("camvid", audit("camvid", camvid, progress=False)).endswith("✗ camvid: 1 problem.")


def test_a_split_that_is_not_there(camvid):
    (camvid / "test").rename(camvid / "other")
    found = problems(camvid)
    assert list(found) == ["test"] and "nothing of the split 'test'" in found["test"][0]


def test_nothing_at_all(tmp_path):
    audits = audit("camvid", tmp_path, progress=False)
    assert [len(found.problems) for found in audits] == [1, 1, 1]
    assert "share of pixels" not in report("camvid", audits)


@pytest.mark.parametrize("with_test", [True, False])
def test_split_without_public_labels(tmp_path, with_test):
    """Its images may be missing; it takes no part in the shares of the classes."""
    for split, count in COUNTS.items():
        for i in range(count if split != "test" or with_test else 0):
            write_image(tmp_path / "leftImg8bit" / split / "ulm" / f"ulm_{i}_leftImg8bit.png", colours(i))
            write_image(tmp_path / "gtFine" / split / "ulm" / f"ulm_{i}_gtFine_labelIds.png", greys(i, [7, 8]))
    audits = audit("cityscapes", tmp_path, progress=False)
    assert not any(found.problems for found in audits)
    text = report("cityscapes", audits)
    assert ("test   2 of 2 images, labels not public" if with_test else "test   not there; its labels") in text
    assert [line.split() for line in text.splitlines() if "share" in line or "road" in line] == [
        ["share", "of", "pixels", "train", "val"],
        ["road", "50.00", "%", "50.00", "%"],
    ]
    assert text.endswith("✓ cityscapes is complete.")
