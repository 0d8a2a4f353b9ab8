"""Which samples a step sees, and with which random numbers they are augmented: both depend on the seed alone.

Sample `index` of epoch `epoch` is augmented in the same way whichever worker or process loads it, and whatever was
loaded before. That is what makes a resumed run, a run with workers and a run on two processes see the same data.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler


class EpochBatches(Sampler):
    """Batches of (epoch, index) in a new order each epoch; batch sampler of a DataLoader over a `SeededDataset`.

    Every batch is full: what is left over at the end of an epoch is left out, another part each time. Of each batch
    this process takes every `world_size`-th sample from `rank` on. `start(epoch, step)` chooses where the next
    iteration begins.
    """

    def __init__(self, length: int, batch_size: int, seed: int, rank: int = 0, world_size: int = 1):
        self.length, self.batch_size, self.seed = length, batch_size, seed
        self.rank, self.world_size = rank, world_size
        self.epoch = self.step = 0

    def start(self, epoch: int, step: int = 0) -> None:
        self.epoch, self.step = epoch, step

    def __len__(self) -> int:
        return self.length // self.batch_size

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        epoch = self.epoch
        order = np.random.default_rng((self.seed, epoch)).permutation(self.length).tolist()
        for step in range(self.step, len(self)):
            batch = order[step * self.batch_size : (step + 1) * self.batch_size]
            yield [(epoch, index) for index in batch[self.rank :: self.world_size]]


class SeededDataset(Dataset):
    """The data set, each sample loaded with random numbers of its own: seeded[epoch, index]."""

    def __init__(self, dataset: Dataset, seed: int):
        self.dataset, self.seed = dataset, seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: tuple[int, int]) -> tuple[torch.Tensor, ...]:
        epoch, index = key
        with own_random_numbers(self.seed, epoch, index):
            return self.dataset[index]


@contextmanager
def own_random_numbers(*seed: int) -> Iterator[None]:
    """Inside, PyTorch's, NumPy's and Python's generators start from `seed`; afterwards they are as they were."""
    words = np.random.SeedSequence(seed).generate_state(4)
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    torch.default_generator.manual_seed(int(words[0]) << 32 | int(words[1]))
    np.random.seed(words[2])
    random.seed(int(words[3]))
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])
