"""The smallest training with all that a resume could forget: augmentation, dropout, batch statistics, momentum."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

CLASSES = ("ground", "stripe", "blob")
SIZE = (12, 20)
STOPPED = 75  # exit status of a run that was asked to stop, and saved


class Stripes(Dataset):
    """Noisy pictures of two classes and a rare third; each is augmented with all three random generators.

    void: whether sample i has i rows of void, so that batches differ in their number of valid pixels.
    """

    classes = CLASSES
    ignore_index = 255

    def __init__(self, length: int = 14, *, seed: int = 0, augment: bool = True, void: bool = True):
        self.length, self.seed, self.augment, self.void = length, seed, augment, void

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        draws = np.random.default_rng((self.seed, index))
        mask = np.zeros(SIZE, np.int64)
        mask[:, (column := draws.integers(2, 15)) : column + 4] = 1
        if index % 3 == 0:
            mask[5:7, 3:6] = 2
        image = np.stack([mask / 2, 1 - mask / 2, np.zeros(SIZE)]) * 0.6 + 0.2 + 0.1 * draws.standard_normal((3, *SIZE))
        image, mask = torch.from_numpy(image).float(), torch.from_numpy(mask)
        if self.augment:
            image = image + 0.05 * torch.randn(()) + 0.05 * float(np.random.randn()) + 0.05 * random.gauss(0, 1)
            if torch.rand(()) < 0.5:
                image, mask = image.flip(2), mask.flip(1)
        if self.void:
            mask[: index % SIZE[0]] = 255
        return image, mask


def network(num_classes: int = 3, in_channels: int = 3, *, seed: int = 0, batch_statistics: bool = True) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(in_channels, 6, 3, padding=1),
        nn.BatchNorm2d(6) if batch_statistics else nn.GroupNorm(2, 6),
        nn.ReLU(),
        nn.Dropout(0.2 if batch_statistics else 0.0),
        nn.Conv2d(6, num_classes, 1),
    )


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


class Slow(Stripes):
    """Says when training begins, then takes its time."""

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        time.sleep(0.002)
        return super().__getitem__(index)


def train(folder: str) -> None:
    """A run that is killed and started again."""
    from course_utils.training import fit

    model = network(seed=int(time.time()))  # new weights at each start: the checkpoint's must be used
    if not Path(folder).exists():
        model = network()
    print(f"begin {os.getpid()}", flush=True)
    fit(
        model, Slow(), Slow(8, seed=1, augment=False), epochs=12, batch_size=2, lr=0.01, folder=folder, resume=True,
        checkpoint_every=3, progress=False, accelerator="cpu",
    )  # fmt: skip
    torch.save(model.state_dict(), Path(folder) / "final.pt")
    print("done", flush=True)


def serve() -> None:
    """`python -m tests.training.tiny`: for each folder on stdin, a new process that trains there.

    They are forked from this one, so that none spends seconds on importing PyTorch. On stdout: what it says, and how it
    ended. This process says nothing before that: two that write at once would mix their lines.
    """
    import torch.utils.tensorboard  # noqa: F401

    from course_utils.training import TrainingInterrupted

    torch.set_num_threads(1)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            try:
                train(line.strip())
            except TrainingInterrupted:
                sys.exit(STOPPED)
            sys.exit()
        print("ended", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    serve()
