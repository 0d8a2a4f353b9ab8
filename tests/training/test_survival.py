"""Kills, damage and full disks: what a run on a machine that may go away at any moment must survive."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch

from course_utils.training import CheckpointError, CheckpointFolder, fit, load_checkpoint
from tests.training.tiny import STOPPED, Slow, Stripes, network, same_weights

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")

fit = partial(fit, accelerator="cpu", progress=False)
KILLS = 20


class Runs:
    """Starts processes that train, one after another; see `tiny.serve`."""

    def __init__(self, checkout: Path):
        command = [sys.executable, "-m", "tests.training.tiny"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.server = subprocess.Popen(command, cwd=checkout, text=True, **pipes)

    def start(self, folder: Path) -> int:
        """Start training in `folder`, wait until it begins, and return the process's number."""
        print(folder, file=self.server.stdin, flush=True)
        word, number = self.server.stdout.readline().split()
        assert word == "begin", f"it ended before it began: {word} {number}"
        return int(number)

    def end(self) -> tuple[int, list[str]]:
        """Wait until it has ended; return its exit status and what it said."""
        lines = []
        while not (line := self.server.stdout.readline().strip()).startswith("ended"):
            lines.append(line)
        return int(line.split()[1]), lines

    def finish(self, folder: Path) -> bool:
        self.start(folder)
        status, said = self.end()
        return status == 0 and said[-1] == "done"


@pytest.fixture(scope="module")
def runs(checkout):
    runs = Runs(checkout)
    yield runs
    runs.server.stdin.close()
    runs.server.wait()


def test_twenty_kills_in_a_row_change_nothing(tmp_path, runs):
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    runs.start(alone)
    began = time.monotonic()  # not before: the first of these processes imports PyTorch
    status, said = runs.end()
    usual = time.monotonic() - began
    assert status == 0 and said[-1] == "done"

    draws = random.Random()  # other moments at each run of this test
    moments = []
    for _ in range(KILLS):
        process = runs.start(killed)
        moments.append(draws.uniform(0, usual / KILLS * 1.5))
        time.sleep(moments[-1])
        os.kill(process, signal.SIGKILL)
        assert runs.end()[0] == -signal.SIGKILL, "the run ended before it was killed"
    assert runs.finish(killed), moments

    ours, theirs = (torch.load(folder / "final.pt", weights_only=True) for folder in (killed, alone))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs), moments
    assert (killed / "log.csv").read_bytes() == (alone / "log.csv").read_bytes(), moments
    newest, whole = (CheckpointFolder(folder).newest() for folder in (killed, alone))
    for name in ("best_epoch", "rows"):
        assert newest["history"][name] == whole["history"][name]
    best = [load_checkpoint(CheckpointFolder(folder).best()) for folder in (killed, alone)]
    assert best[0]["epoch"] == best[1]["epoch"]
    assert all(torch.equal(best[0]["model"][name], best[1]["model"][name]) for name in theirs)
    kept = sorted(path.name.split("-")[0] for path in killed.glob("*.pt"))
    assert kept == ["best", "final.pt", "last", "last"] and not list(killed.glob("*.part"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_polite_end_saves(tmp_path, runs, number):
    process = runs.start(tmp_path / "run")
    while not list((tmp_path / "run").glob("last-00000003-*")):
        time.sleep(0.01)
    os.kill(process, number)
    assert runs.end()[0] == STOPPED
    state = CheckpointFolder(tmp_path / "run").newest()
    assert state["epoch"] * 7 + state["step"] >= 3
    assert runs.finish(tmp_path / "run")


@pytest.fixture
def stopped(tmp_path):
    """Folder of a run of 2 epochs, 4 steps each, saved after every step."""
    fit(network(), Stripes(8), Stripes(3), epochs=2, batch_size=2, folder=tmp_path / "run", checkpoint_every=1)
    return tmp_path / "run"


def last_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("last-*.pt"))


def damage(path: Path, how: str) -> None:
    data = bytearray(path.read_bytes())
    if how == "one bit":
        data[len(data) // 2] ^= 1
    elif how == "cut":
        del data[len(data) // 2 :]
    else:
        data.clear()
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("how", ["one bit", "cut", "empty"])
def test_a_damaged_checkpoint_is_seen_and_the_one_before_it_is_used(stopped, how):
    before, newest = last_files(stopped)
    damage(newest, how)
    said = []
    assert CheckpointFolder(stopped, said.append).newest()["step"] == 3
    assert said == [
        f"{newest} is damaged: its content does not fit the hash in its name.",
        f"Using the one before it: {before.name}.",
    ]
    model, alone = network(seed=4), network()
    fit(model, Stripes(8), Stripes(3), epochs=2, batch_size=2, folder=stopped, checkpoint_every=1, resume=True)
    fit(alone, Stripes(8), Stripes(3), epochs=2, batch_size=2)
    assert same_weights(model, alone)


def test_when_all_are_damaged_it_says_so(stopped):
    for path in last_files(stopped):
        damage(path, "cut")
    with pytest.raises(CheckpointError, match="all 2 checkpoints are damaged. Start the run anew"):
        CheckpointFolder(stopped, lambda text: None).newest()


def test_a_strangers_checkpoint_runs_no_code(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    torch.save({"model": Bomb()}, tmp_path / "bomb.pt")
    with pytest.raises(CheckpointError, match="was not loaded: it could run code"):
        load_checkpoint(tmp_path / "bomb.pt")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 half a zip", b"\x80\x04."])
def test_a_file_that_is_no_checkpoint(tmp_path, content):
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="model.pt"):
        load_checkpoint(path)
    with pytest.raises(CheckpointError, match="nothing.pt can't be read: No such file"):
        load_checkpoint(tmp_path / "nothing.pt")


def test_a_folder_without_checkpoints(tmp_path):
    assert CheckpointFolder(tmp_path).newest() is None and not CheckpointFolder(tmp_path / "none")
    with pytest.raises(CheckpointError, match="no checkpoint there. Train first"):
        CheckpointFolder(tmp_path).best()


def test_a_full_disk_leaves_the_last_good_checkpoint(tmp_path):
    """A limit on the size of files stands for the disk: the optimiser's state makes the checkpoint outgrow it."""

    def limit(size: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    class Fills(Stripes):
        asked = 0

        def __getitem__(self, index):
            self.asked += 1
            if self.asked == 17:  # step 9
                limit(4096)
            return super().__getitem__(index)

    settings = {"epochs": 2, "batch_size": 2, "folder": tmp_path / "run", "checkpoint_every": 1}
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with pytest.raises(CheckpointError, match=r"of step 9 was not saved \(.*last-00000008-.*resume=True"):
            fit(network(), Fills(), **settings)
    finally:
        limit(resource.RLIM_INFINITY)
        signal.signal(signal.SIGXFSZ, before)
    assert not list((tmp_path / "run").glob("*.part"))
    state = CheckpointFolder(tmp_path / "run").newest()
    assert state["epoch"] * 7 + state["step"] == 8
    resumed, alone = network(seed=8), network()
    fit(resumed, Stripes(), resume=True, **settings)
    fit(alone, Stripes(), epochs=2, batch_size=2)
    assert same_weights(resumed, alone)


def test_a_folder_that_may_not_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="was not saved"):
        fit(network(), Stripes(), epochs=1, folder=tmp_path / "file")


def test_a_kill_between_two_files_loses_nothing(tmp_path):
    """The best checkpoint is written before the one to go on from: at any moment both that are needed are there."""
    settings = {"epochs": 3, "batch_size": 4, "folder": tmp_path, "lr": 0.05}
    saved = CheckpointFolder.save

    def breaks(self, kind, step, state):
        if kind == "last" and step == 6:
            raise KeyboardInterrupt
        return saved(self, kind, step, state)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CheckpointFolder, "save", breaks)
        with pytest.raises(KeyboardInterrupt):
            fit(network(), Stripes(), Stripes(5, seed=1), **settings)
    state = CheckpointFolder(tmp_path).newest()
    assert (tmp_path / state["best_file"]).exists()
    resumed, alone = network(seed=8), network()
    history = fit(resumed, Stripes(), Stripes(5, seed=1), resume=True, **settings)
    assert history.rows == fit(alone, Stripes(), Stripes(5, seed=1), epochs=3, batch_size=4, lr=0.05).rows
    assert same_weights(resumed, alone) and len(list(tmp_path.glob("best-*.pt"))) == 1


def test_slow_and_fast_data_are_the_same():
    assert torch.equal(Slow(3, augment=False)[2][0], Stripes(3, augment=False)[2][0])
