"""`course evaluate` and `course predict`: their numbers, their pictures, and the checkpoints that they refuse."""

from __future__ import annotations

import json
import pickle
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils import training
from course_utils.commands.overlay import read_photo, shares
from course_utils.commands.recipe import trained
from course_utils.data import load_dataset
from course_utils.data.catalogue import CATALOGUE
from course_utils.training import CheckpointFolder, load_checkpoint
from tests.commands.conftest import course, refused

CPU = ("--accelerator", "cpu")


def best(run):
    return CheckpointFolder(run).best()


# Scores


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_the_scores_are_those_of_evaluate(run, camvid, split):
    result = course("evaluate", run, "--split", split, *CPU)
    assert result.exit_code == 0
    recipe, model, file = trained(run)
    dataset = load_dataset("camvid", split, root=camvid, transform=lambda image, mask: (image * 2 - 1, mask))
    matrix = training.evaluate(model, dataset, accelerator="cpu")
    head, *table, scores = result.stdout.splitlines()
    assert head == f"small_fcn on camvid {split}, {len(dataset)} images ({best(run).name})" and file == best(run).name
    for name, iu, line in zip(dataset.classes, matrix.iu().tolist(), table, strict=True):
        assert line == f"  {name:11}  IoU {iu:.4f}"
    found = {name: float(value) for name, value in re.findall(r"(\w+) (\S+)", scores)}
    for name in ("acc", "acc_cls", "mean_iu", "fw_iu"):
        assert found[name] == pytest.approx(getattr(matrix, name)(), abs=5.1e-5)
    assert found["mean_iu"] > 0.3


def test_val_scores_what_the_training_logged(run):
    logged = CheckpointFolder(run).newest()["history"]["rows"]
    top = max(row["val_mean_iu"] for row in logged)
    assert f"mean_iu {top:.4f}" in course("evaluate", run, "--split", "val", *CPU).stdout


def test_by_default_the_test_split_is_scored(run):
    assert course("evaluate", run, *CPU).stdout == course("evaluate", run, "--split", "test", *CPU).stdout


def test_a_single_checkpoint_can_be_scored(run):
    assert course("evaluate", best(run), *CPU).stdout == course("evaluate", run, *CPU).stdout


def test_other_folders(run, camvid, tmp_path):
    shutil.copytree(camvid, tmp_path / "moved")
    elsewhere = course("evaluate", run, "--root", tmp_path / "moved", *CPU)
    assert elsewhere.exit_code == 0 and elsewhere.stdout == course("evaluate", run, *CPU).stdout
    assert f"in {tmp_path}: expected test and testannot" in refused("evaluate", run, "--root", tmp_path, *CPU)


def test_a_relative_root_is_found_from_elsewhere(camvid, tmp_path, monkeypatch):
    monkeypatch.chdir(camvid.parent)
    options = ("--model", "small_fcn", "--data", "camvid", "--crop", 16, 24, "--epochs", 1, *CPU)
    course("train", *options, "--root", camvid.name, "--folder", tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    assert course("evaluate", "run", *CPU).exit_code == 0


def test_a_split_that_does_not_exist(run):
    assert "Unknown split of camvid 'tests'. Did you mean 'test'?" in refused("evaluate", run, "--split", "tests")


def test_a_split_whose_labels_are_not_public(run, monkeypatch):
    monkeypatch.setitem(CATALOGUE, "camvid", replace(CATALOGUE["camvid"], unlabelled=("test",)))
    assert "the labels of the split 'test' of CamVid are not public" in refused("evaluate", run, *CPU)
    assert course("evaluate", run, "--split", "val", *CPU).exit_code == 0


# Pictures

PHOTOS = {
    "colour.png": lambda pixels: Image.fromarray(pixels),
    "colour.jpg": lambda pixels: Image.fromarray(pixels),
    "grey.png": lambda pixels: Image.fromarray(pixels[..., 0]),
    "transparent.png": lambda pixels: Image.fromarray(np.dstack([pixels, pixels[..., :1]])),
    "palette.png": lambda pixels: Image.fromarray(pixels).quantize(16),
    "black_and_white.png": lambda pixels: Image.fromarray(pixels[..., 0]).convert("1"),
    "grey_16_bit.png": lambda pixels: Image.fromarray(pixels[..., 0].astype(np.uint16) * 257),
    "printing.tif": lambda pixels: Image.fromarray(pixels).convert("CMYK"),
}


@pytest.mark.parametrize("size", [(36, 48), (41, 19), (5, 90)])
@pytest.mark.parametrize("name", PHOTOS)
def test_any_photo_becomes_a_picture(run, tmp_path, name, size):
    PHOTOS[name](np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)).save(tmp_path / name)
    result = course("predict", run, tmp_path / name)
    assert result.exit_code == 0, result.output
    *lines, written = result.stdout.splitlines()
    path = tmp_path / f"{Path(name).stem}-overlay.png"
    assert written == f"Written: {path}"
    with Image.open(path) as picture:
        assert picture.format == "PNG" and np.asarray(picture.convert("RGB")).std() > 0
    percents = [float(re.fullmatch(r"  [a-z ]+: (\d+\.\d)%", line)[1]) for line in lines]
    assert percents == sorted(percents, reverse=True) and sum(percents) == pytest.approx(100, abs=0.05 * len(percents))


def test_the_shares_are_those_of_the_networks_classes(run, camvid):
    _, model, _ = trained(run)
    image, _ = load_dataset("camvid", "test", root=camvid)[1]
    with torch.no_grad():
        mask = model(image[None] * 2 - 1).argmax(1)[0]
    classes = load_dataset("camvid", "test", root=camvid).classes
    expected = [f"  {classes[k]}: {float((mask == k).double().mean()):.1%}" for k in mask.unique().tolist()]
    lines = course("predict", run, camvid / "test" / "1.png", "--to", "picture.png").stdout.splitlines()
    assert sorted(lines[:-1]) == sorted(expected) and lines[-1] == "Written: picture.png"
    assert sum(part for _, part in shares(mask, classes)) == pytest.approx(1)


def test_the_picture_shows_the_colours_of_the_classes(run, camvid, tmp_path):
    course("predict", run, camvid / "test" / "0.png", "--to", tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    palette = load_dataset("camvid", "test", root=camvid).palette[[0, 3]].astype(int)
    for colour in palette:  # in the legend as they are
        assert (np.abs(pixels - colour).max(-1) <= 2).any()


def test_16_bit_grey_keeps_its_greys(tmp_path):
    grey = np.arange(35 * 8, dtype=np.uint16).reshape(35, 8) * 200
    Image.fromarray(grey).save(tmp_path / "photo.png")
    for channels in (1, 3):
        photo = read_photo(tmp_path / "photo.png", channels)
        assert photo.shape == (channels, 35, 8) and photo.dtype == torch.float32
        assert np.allclose(photo.numpy(), grey / 65535, atol=1e-6)


def test_a_photo_is_turned_upright(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[274] = 6  # the camera was turned: show it rotated by 90 degrees clockwise
    Image.fromarray(pixels).save(tmp_path / "photo.png", exif=exif)
    assert np.array_equal((read_photo(tmp_path / "photo.png", 3) * 255).round().permute(1, 2, 0), np.rot90(pixels, -1))


def test_numbers_that_are_no_grey_values(tmp_path):
    Image.fromarray(np.full((4, 6), 70000, np.int32)).save(tmp_path / "photo.tif")
    with pytest.raises(ValueError, match=r"photo\.tif: expected 8 or 16 bits per channel, got a PIL image of mode 'I'"):
        read_photo(tmp_path / "photo.tif", 3)
    Image.fromarray(np.zeros((4, 6), np.float32)).save(tmp_path / "photo.tif")
    with pytest.raises(ValueError, match=r"mode 'F' \(decimal numbers\)"):
        read_photo(tmp_path / "photo.tif", 3)


def test_a_network_for_scans_reads_no_photos(tmp_path):
    with pytest.raises(ValueError, match="reads 5 channels"):
        read_photo(tmp_path / "photo.png", 5)


def test_files_that_are_no_photos(run, camvid, tmp_path):
    photo = camvid / "test" / "0.png"
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "half.png").write_bytes(photo.read_bytes()[:-60])
    assert "notes.txt is damaged or no image (of no known format)" in refused("predict", run, tmp_path / "notes.txt")
    assert "half.png is damaged or no image (" in refused("predict", run, tmp_path / "half.png")
    assert "missing.png is no file" in refused("predict", run, tmp_path / "missing.png")
    assert f"{tmp_path} is no file" in refused("predict", run, tmp_path)


def test_places_where_nothing_can_be_written(run, camvid, tmp_path):
    photo = camvid / "test" / "0.png"
    message = refused("predict", run, photo, "--to", tmp_path / "none" / "picture.png")
    assert f"to: the folder {tmp_path / 'none'} does not exist." in message
    assert "xyz" in refused("predict", run, photo, "--to", "picture.xyz")
    (tmp_path / "folder.png").mkdir()
    assert "folder.png" in refused("predict", run, photo, "--to", tmp_path / "folder.png")


# Checkpoints


@pytest.fixture(params=["evaluate", "predict"])
def use(request, camvid):
    """What `course evaluate RUN` or `course predict RUN IMAGE` says when it refuses."""
    rest = CPU if request.param == "evaluate" else (camvid / "test" / "0.png", "--to", "picture.png")

    def message(run):
        text = refused(request.param, run, *rest)
        assert not Path("picture.png").exists()
        return text

    return message


def test_a_folder_without_a_run(use, tmp_path):
    assert f"{tmp_path}: no checkpoint there. Train first, or name the folder of a run." in use(tmp_path)
    assert "missing can't be read: No such file" in use(tmp_path / "missing")


def test_a_damaged_checkpoint(use, run, tmp_path):
    path = tmp_path / best(run).name
    content = bytearray(best(run).read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert f"{path} is damaged" in use(path) and f"{path} is damaged" in use(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 no zip"])
def test_a_file_that_is_no_checkpoint(use, tmp_path, content):
    (tmp_path / "model.pt").write_bytes(content)
    assert "model.pt" in use(tmp_path / "model.pt")


@pytest.mark.parametrize("content", [
    {"weight": torch.zeros(2)}, torch.zeros(2), [1], {"about": None}, {"about": {"recipe": {}}},
])  # fmt: skip
def test_a_checkpoint_of_another_kind(use, tmp_path, content):
    torch.save(content, tmp_path / "model.pt")
    assert "model.pt does not say how its model was built: it was not made by `course train`" in use(
        tmp_path / "model.pt"
    )


@pytest.mark.parametrize(("change", "words"), [
    ({"model": "small_fnc"}, "Unknown model 'small_fnc'. Did you mean 'small_fcn'?"),
    ({"model": "smp_fpn"}, "is of another model"),
    ({"optics": "zoom"}, "was made by another version of `course train`"),
])  # fmt: skip
def test_a_recipe_that_does_not_fit(use, run, tmp_path, change, words):
    state = load_checkpoint(best(run))
    state["about"]["recipe"] |= change
    torch.save(state, tmp_path / "model.pt")
    assert words in use(tmp_path / "model.pt")


class Opens:
    """Unpickling it would create a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("form", ["torch", "pickle"])
def test_a_stranger_checkpoint_runs_no_code(use, tmp_path, form):
    trap = tmp_path / "trap"
    state = {"about": Opens(trap), "model": {}}
    if form == "torch":
        torch.save(state, tmp_path / "model.pt")
    else:
        (tmp_path / "model.pt").write_bytes(pickle.dumps(state, protocol=2))
    assert "could run code on this machine" in use(tmp_path / "model.pt")
    assert not trap.exists()
    torch.load(tmp_path / "model.pt", weights_only=False) if form == "torch" else pickle.loads(
        pickle.dumps(state, protocol=2)
    )
    assert trap.exists(), "the trap itself must work"


def test_a_checkpoint_holds_plain_values_only(run):
    about = load_checkpoint(best(run))["about"]
    assert json.loads(json.dumps(about)) == about
