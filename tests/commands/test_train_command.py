"""`course train`: what it keeps, that it goes on, and what it refuses."""

from __future__ import annotations

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from course_utils.commands.recipe import LOSSES, trained
from course_utils.data.catalogue import CATALOGUE
from course_utils.models import list_models
from course_utils.training import CheckpointFolder
from tests.commands.camvid_files import make_camvid
from tests.commands.conftest import TINY, course, refused


def weights(folder):
    return CheckpointFolder(folder).newest()["model"]


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_keeps_its_log_and_says_its_best_epoch(camvid, tmp_path):
    folder = tmp_path / "run"
    result = course("train", *TINY, "--root", camvid, "--epochs", 2, "--folder", folder)
    with (folder / "log.csv").open() as file:
        scores = [float(row["val_mean_iu"]) for row in csv.DictReader(file)]
    best = max(scores)
    assert f"Best mean IoU {best:.4f} in epoch {scores.index(best) + 1} of 2, on val." in result.stdout
    assert f"Kept in {folder}; now: course evaluate {folder}" in result.stdout
    assert len(list(folder.glob("best-*.pt"))) == 1 and (folder / "tensorboard").is_dir()


def test_it_learns_the_colours_of_the_classes(run):
    with (run / "log.csv").open() as file:
        losses = [float(row["train_loss"]) for row in csv.DictReader(file)]
    assert losses[-1] < losses[0] / 2


def test_the_folder_is_named_after_data_and_model(camvid, tmp_path):
    assert course("train", *TINY, "--root", camvid, "--epochs", 1).exit_code == 0
    assert CheckpointFolder(tmp_path / "runs" / "camvid-small_fcn")


def test_data_need_no_root_in_the_cache(tmp_path):
    make_camvid(tmp_path / "cache" / "datasets" / "camvid")
    assert course("train", *TINY, "--epochs", 1).exit_code == 0


def test_the_seed_decides_everything(camvid, tmp_path):
    for name, seed in (("one", 3), ("same", 3), ("other", 4)):
        course("train", *TINY, "--root", camvid, "--epochs", 1, "--seed", seed, "--folder", tmp_path / name)
    assert same(weights(tmp_path / "one"), weights(tmp_path / "same"))
    assert not same(weights(tmp_path / "one"), weights(tmp_path / "other"))


def test_options_reach_the_training(camvid, tmp_path):
    given = {"loss": "focal+dice", "schedule": "one_cycle", "clip": 1.0, "precision": "bf16-mixed", "seed": 5}
    options = [part for name, value in given.items() for part in (f"--{name}", value)]
    rest = ("--no-channels-last", "--workers", 1, "--checkpoint-every", 1, "--patience", 1, "--epochs", 9, "--lr", 0)
    result = course("train", *TINY, "--root", camvid, *options, *rest)
    assert result.exit_code == 0
    state = CheckpointFolder(tmp_path / "runs" / "camvid-small_fcn").newest()
    assert {name: state["settings"][name] for name in given} == given
    assert state["epoch"] < 9 and state["history"]["stopped_early"]  # nothing is learned at a rate of 0


def test_options_of_the_network_are_kept_with_the_run(camvid, tmp_path):
    folder = tmp_path / "narrow"
    given = ("--set", "width=6", "--set", "dropout=0.25")
    assert course("train", *TINY, *given, "--root", camvid, "--epochs", 1, "--folder", folder).exit_code == 0
    assert weights(folder)["stages.0.0.weight"].shape == (6, 3, 3, 3)
    recipe, model, _ = trained(folder)
    assert recipe.model_options == {"width": 6, "dropout": 0.25} and model.dropout.p == 0.25
    assert course("evaluate", folder).exit_code == 0
    words = refused("train", *TINY, "--set", "width=8", "--root", camvid, "--folder", folder, "--resume")
    assert "model_options was {'width': 6, 'dropout': 0.25}, is {'width': 8}" in words


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["width"], "set: expected NAME=VALUE, each name once, got 'width'"),
        (["=6"], "got '=6'"),
        (["width="], "got 'width='"),
        (["width=6", "width=7"], "got 'width=7'"),
        (["widht=6"], "Unknown option of small_fcn 'widht'. Did you mean 'width'"),
    ],
)
def test_wrong_options_of_the_network(camvid, options, words):
    given = [part for option in options for part in ("--set", option)]
    assert words in refused("train", *TINY, "--root", camvid, *given)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_trains(camvid, loss):
    assert course("train", *TINY, "--root", camvid, "--epochs", 1, "--loss", loss).exit_code == 0


def test_a_grey_set_trains_without_photos_colours(tmp_path):
    from tests.data.files import greys, write_image

    for i in range(30):
        write_image(tmp_path / "isbi" / "train" / "image" / f"{i}.png", greys(i, [0, 90, 200], (20, 28)))
        write_image(tmp_path / "isbi" / "train" / "label" / f"{i}.png", greys(i, [0, 255], (20, 28)))
    options = [*TINY[:2], "--data", "isbi2012", *TINY[4:], "--root", tmp_path / "isbi", "--epochs", 1]
    assert course("train", *options).exit_code == 0
    options[1] = "smp_fpn"
    assert "in_channels: the ImageNet weights are for 3 channels, got 1." in refused("train", *options)


# Going on


def test_a_run_goes_on_where_it_was_stopped(camvid, tmp_path):
    """Ctrl-C in a process of its own; then --resume ends with the weights of a run that was left alone."""
    options = [*TINY, "--root", camvid, "--epochs", 25, "--seed", 1]
    command = [sys.executable, "-c", "from course_utils.cli import app; app()", "train", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    folder = tmp_path / "stopped"
    process = subprocess.Popen(
        [*map(str, command), "--folder", str(folder)], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    seen = ""
    while not re.search(r"[1-9]\d*/50", seen):  # the bar after a step
        piece = process.stderr.read(1)
        assert piece, seen
        seen += piece
    process.send_signal(signal.SIGINT)
    rest = process.communicate()[1]
    assert process.returncode == 130
    line = rest.splitlines()[-1]
    assert re.fullmatch(
        rf"course: Stopped in epoch \d+ after \d steps\. The state is saved in {folder}: go on with --resume\.", line
    )
    assert "Traceback" not in rest
    stopped = CheckpointFolder(folder).newest()
    assert 0 < stopped["epoch"] * 2 + stopped["step"] < 50

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        resumed = course("train", *options, "--folder", folder, "--resume")
        alone = course("train", *options, "--folder", tmp_path / "alone")
    finally:
        torch.set_num_threads(threads)
    assert resumed.exit_code == alone.exit_code == 0
    assert f"Going on after {stopped['epoch']} epochs and {stopped['step']} steps." in resumed.stdout
    assert same(weights(folder), weights(tmp_path / "alone"))
    assert (folder / "log.csv").read_bytes() == (tmp_path / "alone" / "log.csv").read_bytes()


def test_resume_without_a_run_begins_one(camvid, tmp_path):
    result = course("train", *TINY, "--root", camvid, "--epochs", 1, "--resume")
    assert result.exit_code == 0 and "No checkpoint yet: a new run." in result.stdout


def test_a_folder_that_is_taken(camvid, run):
    message = stopped_line(camvid, "--folder", run)
    assert message.endswith(f"folder: {run} holds the checkpoints of a run. Go on with --resume, or name another.")


@pytest.mark.parametrize(("options", "words"), [
    (("--epochs", 6), "epochs was 5, is 6"),
    (("--crop", 32, 48), "crop was [36, 48], is [32, 48]"),
    (("--scale", 1, 1), "scale was [0.75, 1.5], is [1.0, 1.0]"),
    (("--model", "smp_unet"), "model was 'small_fcn', is 'smp_unet'"),
    (("--weight-decay", 0), "AdamW(weight_decay=0.0)"),
])  # fmt: skip
def test_resume_with_other_settings(camvid, run, options, words):
    as_before = ("--epochs", 5, "--lr", 0.02, "--folder", run, "--resume")
    message = stopped_line(camvid, *as_before, *options)
    assert words in message and "Use the same, or start a new run in another" in message


def test_the_data_may_have_moved(camvid, run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    shutil.copytree(camvid, tmp_path / "moved")
    options = ("--root", tmp_path / "moved", "--epochs", 5, "--lr", 0.02, "--folder", tmp_path / "run", "--resume")
    assert course("train", *TINY, *options).exit_code == 0


def test_resume_from_damaged_checkpoints(camvid, run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    for path in folder.glob("last-*.pt"):
        path.write_bytes(path.read_bytes()[:-5])
    message = refused("train", *TINY, "--root", camvid, "--folder", folder, "--resume")
    assert f"{folder}: all 2 checkpoints are damaged. Start the run anew." in message


# What it refuses


@pytest.mark.parametrize(("options", "words"), [
    (("--model", "smal_fcn"), "Unknown model 'smal_fcn'. Did you mean 'small_fcn'?"),
    (("--data", "camvd"), "Unknown data set 'camvd'. Did you mean 'camvid'?"),
    (("--loss", "dise"), "Unknown loss 'dise'. Did you mean 'dice'?"),
    (("--loss", "dice+focl"), "Unknown loss 'focl'. Did you mean 'focal'?"),
    (("--loss", ""), "Unknown loss ''."),
    (("--schedule", "ploy"), "Unknown schedule 'ploy'. Did you mean 'poly'?"),
    (("--precision", "bf16-mix"), "Unknown precision 'bf16-mix'. Did you mean 'bf16-mixed'?"),
    (("--accelerator", "gpu"), "Unknown accelerator 'gpu'."),
    (("--epochs", 0), "epochs: expected 1 or more, got 0."),
    (("--batch-size", 9), "batch_size: expected 1 to 8"),
    (("--crop", 0, 48), "size: expected (height, width), both at least 1"),
    (("--scale", 2, 1), "scale: expected 0 < smallest <= largest"),
    (("--lr", -1), "Invalid learning rate: -1.0"),
    (("--workers", -1), "num_workers"),
])  # fmt: skip
def test_options_that_can_not_be(camvid, options, words):
    assert words in refused("train", *TINY, "--root", camvid, *options)


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there(camvid, device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    message = refused("train", *TINY, "--root", camvid, "--accelerator", device)
    assert f"PyTorch finds no {device} device on this machine. Use auto or cpu." in message


def test_memory_that_is_full(camvid, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate")

    monkeypatch.setattr("course_utils.training.loop.check_finite", full)
    assert "--batch-size" in stopped_line(camvid)


def test_a_bug_keeps_its_traceback(camvid, monkeypatch):
    def bug(*_):
        raise RuntimeError("a bug")

    monkeypatch.setattr("course_utils.training.loop.check_finite", bug)
    with pytest.raises(RuntimeError, match="a bug"):
        course("train", *TINY, "--root", camvid)


def test_a_loss_that_is_not_finite(camvid):
    line = stopped_line(camvid, "--lr", "1e30")
    assert re.search(r"The loss became \S+ in step \d+ .*The batch is saved as .*diverged", line)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_image(camvid, tmp_path, workers):
    shutil.copytree(camvid, tmp_path / "camvid")
    image = tmp_path / "camvid" / "train" / "3.png"
    image.write_bytes(image.read_bytes()[:-40])
    line = stopped_line(tmp_path / "camvid", "--workers", workers)
    assert line.startswith(f"course: {image} is damaged or no image")


def stopped_line(root, *options):
    """The last line of a training that ends after its bar has begun."""
    result = course("train", *TINY, "--root", root, *options)
    assert result.exit_code == 1
    *bar, line = result.stderr.splitlines()
    assert not any("Traceback" in text or "course:" in text for text in bar)
    return line


def test_a_root_without_the_data(tmp_path):
    message = refused("train", *TINY, "--root", tmp_path)
    assert f"camvid: nothing of the split 'train' in {tmp_path}: expected train and trainannot there." in message


def test_an_empty_split(camvid, tmp_path):
    shutil.copytree(camvid, tmp_path / "camvid")
    for path in (tmp_path / "camvid" / "val").iterdir():
        path.unlink()
    message = refused("train", *TINY, "--root", tmp_path / "camvid")
    assert "camvid: the split 'val' is empty" in message


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_split_whose_labels_are_not_public(camvid, monkeypatch, split):
    monkeypatch.setitem(CATALOGUE, "camvid", replace(CATALOGUE["camvid"], unlabelled=(split,)))
    message = refused("train", *TINY, "--root", camvid)
    assert f"{split}: the labels of the split '{split}' of CamVid are not public" in message


def test_a_set_that_is_generated_has_no_root(tmp_path):
    message = refused("train", *TINY, "--data", "street_scenes", "--root", tmp_path)
    assert "Unknown option of street_scenes 'root'." in message


def test_a_folder_that_is_a_file(camvid, tmp_path):
    (tmp_path / "file").write_text("mine")
    assert str(tmp_path / "file") in stopped_line(camvid, "--folder", tmp_path / "file")


# Help


@pytest.mark.parametrize("command", ["train", "evaluate", "predict"])
def test_the_help_fits_80_columns(command):
    text = course(command, "--help").stdout
    assert max(map(len, text.splitlines())) <= 80 and len(text.splitlines()) < 70 and "…" not in text


def test_the_help_names_every_network_and_schedule():
    from course_utils.training.schedules import SCHEDULES

    text = course("train", "--help").stdout
    assert all(name in text for name in (*list_models(), *SCHEDULES))
