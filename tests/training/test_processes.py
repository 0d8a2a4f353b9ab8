"""Two processes train and score as one does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from course_utils.training import CheckpointFolder, fit
from tests.training.tiny import Stripes, network

EPOCHS = 3


def train(folder: str, crash_after: int | None = None) -> None:
    """A run without batch statistics and dropout, which each process would draw for itself."""
    torch.set_num_threads(1)

    class Crashes(Stripes):
        asked = 0

        def __getitem__(self, index):
            Crashes.asked += 1
            if crash_after is not None and Crashes.asked > crash_after:
                os._exit(9)
            return super().__getitem__(index)

    model = network(batch_statistics=False)
    history = fit(
        model, Crashes(12), Stripes(5, seed=1, augment=False), epochs=EPOCHS, batch_size=4, lr=0.01, accelerator="cpu",
        folder=folder, resume=True, checkpoint_every=2, progress=False,
    )  # fmt: skip
    if int(os.environ.get("RANK", 0)) == 0:
        weights = {name: tensor.tolist() for name, tensor in model.state_dict().items()}
        (Path(folder) / "result.json").write_text(json.dumps({"rows": history.rows, "weights": weights}))


def torchrun(folder: Path, checkout: Path, *more: str) -> subprocess.CompletedProcess:
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--rdzv-backend", "c10d",
        "--rdzv-endpoint", "localhost:0", "-m", "tests.training.test_processes",
    ]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run([*command, str(folder), *more], cwd=checkout, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def one_process(tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("one") / "run"
    train(str(folder))
    return json.loads((folder / "result.json").read_text())


def close(ours: dict, theirs: dict) -> None:
    for row, other in zip(ours["rows"], theirs["rows"], strict=True):
        assert row == pytest.approx(other, rel=1e-4)
    for name, values in theirs["weights"].items():
        torch.testing.assert_close(torch.tensor(ours["weights"][name]), torch.tensor(values), rtol=1e-4, atol=1e-5)


def test_two_processes_give_what_one_gives(tmp_path, checkout, one_process):
    run = torchrun(tmp_path / "run", checkout)
    assert run.returncode == 0, run.stderr
    close(json.loads((tmp_path / "run" / "result.json").read_text()), one_process)


def test_two_processes_go_on_after_a_crash(tmp_path, checkout, one_process):
    assert torchrun(tmp_path / "run", checkout, "11").returncode != 0
    assert 0 < CheckpointFolder(tmp_path / "run").newest()["epoch"] * 3 < EPOCHS * 3
    run = torchrun(tmp_path / "run", checkout)
    assert run.returncode == 0, run.stderr
    close(json.loads((tmp_path / "run" / "result.json").read_text()), one_process)


def test_batches_that_cannot_be_shared(monkeypatch):
    from course_utils.training.checks import check_run

    with pytest.raises(ValueError, match="5 images can't be shared evenly by 2 processes"):
        check_run(Stripes(), None, 5, 2)


if __name__ == "__main__":
    train(sys.argv[1], *map(int, sys.argv[2:]))
