"""Batches on the device, each process's own share of them."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from course_utils.training.checks import collate
from course_utils.training.order import EpochBatches, SeededDataset

_EVALUATION_SEED = 0  # of random transforms, which an evaluation should not have


class TrainingBatches:
    """Batches of one epoch after another, in the order that `EpochBatches` gives."""

    def __init__(
        self, fabric: Fabric, train: Dataset, batch_size: int, seed: int, num_workers: int, channels_last: bool
    ):
        self.fabric = fabric
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.order = EpochBatches(len(train), batch_size, seed, fabric.global_rank, fabric.world_size)
        self.loader = DataLoader(
            SeededDataset(train, seed), batch_sampler=self.order, persistent_workers=num_workers > 0,
            **_options(num_workers),
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.order)

    def of(self, epoch: int, step: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of an epoch from a step on: images (N, C, H, W) and target (N, H, W)."""
        self.order.start(epoch, step)
        for images, target, *_ in self.loader:
            images, target = self.fabric.to_device((images, target))
            yield images.contiguous(memory_format=self.format), target


def evaluation_loader(fabric: Fabric, data: Dataset, batch_size: int, num_workers: int) -> DataLoader:
    """Every sample once, in order; with several processes each reads its own part of them."""
    mine = [(0, index) for index in range(fabric.global_rank, len(data), fabric.world_size)]
    return DataLoader(
        SeededDataset(data, _EVALUATION_SEED), batch_size=batch_size, sampler=mine, **_options(num_workers)
    )


def _options(num_workers: int) -> dict:
    # With a generator of its own a loader takes no number from the global one, which dropout uses.
    return {
        "num_workers": num_workers,
        "collate_fn": collate,
        "pin_memory": torch.cuda.is_available(),
        "generator": torch.Generator(),
        "worker_init_fn": _leave_ctrl_c_to_the_main_process if num_workers else None,
    }


def _leave_ctrl_c_to_the_main_process(worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
