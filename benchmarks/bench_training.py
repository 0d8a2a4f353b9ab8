"""What `fit` costs beside a bare PyTorch loop, and how many images per second it trains on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.utils.data import DataLoader, Dataset, Subset

from course_utils.commands.recipe import Recipe
from course_utils.data import load_dataset
from course_utils.data.folders import locate
from course_utils.losses import cross_entropy
from course_utils.models import build_model
from course_utils.training import fit
from course_utils.training.loaders import TrainingBatches

MODEL, BATCH = "smp_fpn", 8
ROUNDS, STEPS, SIZE = 7, 6, (96, 128)  # of the comparison
CROP, IMAGE = [256, 320], [360, 480]  # of the training on CamVid
CPU_STEPS = 4
CUDA_EPOCHS, MOST_WORKERS = 5, 12
CAMVID = Path(__file__).resolve().parents[2] / "shared" / "datasets" / "camvid"


def main() -> None:
    """Print the ratio of CPU seconds per step, then images per second on the CPU and on any GPU."""
    _print_overhead()
    recipe, where = _recipe()
    train = recipe.train_set()
    print(f"Training {MODEL} with an EfficientNet-Lite0 encoder on {where}, batches of {BATCH} crops of 256 x 320")
    few = Subset(train, range(BATCH * (CPU_STEPS + 1)))
    _print_rate(f"CPU, {torch.get_num_threads()} threads", recipe, few, skipped=1, epochs=1, accelerator="cpu")
    if torch.cuda.is_available():
        workers = min(os.cpu_count() or 1, MOST_WORKERS)
        for compiled in (False, True):
            _print_rate(
                f"{torch.cuda.get_device_name()}, bf16{', compiled' if compiled else ''}, {workers} workers",
                recipe, train, skipped=2 * (len(train) // BATCH), epochs=CUDA_EPOCHS, accelerator="cuda",
                precision="bf16-mixed", compile=compiled, num_workers=workers,
            )  # fmt: skip


class Timer:
    """When each batch reached the training loop, how long the loop waited for it, and when there were no more."""

    def __init__(self, clock: Callable[[], float]):
        self.clock, self.arrived, self.waited, self.ended = clock, [], [], 0.0

    def watch(self, batches: Iterable) -> Iterator:
        rest, asked = iter(batches), self.clock()
        for batch in rest:
            self.arrived.append(self.clock())
            self.waited.append(self.arrived[-1] - asked)
            yield batch
            asked = self.clock()
        self.ended = self.clock()

    def seconds_per_step(self, skipped: int) -> float:
        """Mean time from batch to batch, without the first ones, in which everything warms up."""
        return (self.ended - self.arrived[skipped]) / (len(self.arrived) - skipped)

    def share_waited(self, skipped: int) -> float:
        return sum(self.waited[skipped + 1 :]) / (self.ended - self.arrived[skipped])


def _timed_fit(timer: Timer, model: nn.Module, data: Dataset, **options: Any) -> None:
    of = TrainingBatches.of
    with patch.object(TrainingBatches, "of", lambda batches, epoch, step: timer.watch(of(batches, epoch, step))):
        fit(model, data, batch_size=BATCH, progress=False, **options)


# Beside a bare loop


class InMemory(Dataset):
    """Street scenes, generated beforehand."""

    def __init__(self, length: int):
        scenes = load_dataset("street_scenes", "train", size=SIZE, length=length)
        self.classes, self.ignore_index = scenes.classes, scenes.ignore_index
        self.samples = [scenes[index] for index in range(length)]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.samples[index]


def _bare_loop(timer: Timer, model: nn.Module, data: Dataset) -> None:
    """The same steps as one writes them without the course: no scores, no log, no checks."""
    optimizer = AdamW(model.parameters(), lr=1e-3)
    model.train()
    for images, target in timer.watch(DataLoader(data, BATCH, shuffle=True, drop_last=True)):
        loss = cross_entropy(model(images), target)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def _print_overhead() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        data = InMemory(BATCH * STEPS)
        ways = (partial(_timed_fit, epochs=1, accelerator="cpu", schedule="constant"), _bare_loop)
        rounds = [[_cpu_seconds(way, data) for way in ways] for _ in range(ROUNDS)]
    finally:
        torch.set_num_threads(threads)
    ours, bare = (median(seconds) for seconds in zip(*rounds, strict=True))
    ratio = median(own / other for own, other in rounds)
    print(f"One step of {MODEL}, {BATCH} images of {SIZE[0]} x {SIZE[1]}, in CPU seconds on one core")
    print(f"  fit {ours:.4f}  bare loop {bare:.4f}  ratio {ratio:.3f} (median of {ROUNDS} interleaved rounds)")


def _cpu_seconds(way: Callable[[Timer, nn.Module, Dataset], None], data: Dataset) -> float:
    torch.manual_seed(0)
    timer = Timer(process_time)
    way(timer, build_model(MODEL, len(data.classes)), data)
    return timer.seconds_per_step(skipped=1)


# Images per second


def _recipe() -> tuple[Recipe, str]:
    """CamVid beside the checkout or in the cache; else street scenes of its size."""
    options: dict[str, Any] = {}
    for root in (CAMVID, None):
        if locate("camvid", "train", root):
            options = {} if root is None else {"root": str(root)}
            return Recipe(MODEL, "camvid", True, CROP, [0.75, 1.5], options), "CamVid"
    options = {"size": IMAGE}
    return Recipe(MODEL, "street_scenes", True, CROP, [0.75, 1.5], options), "street scenes (CamVid is not here)"


def _print_rate(where: str, recipe: Recipe, data: Dataset, *, skipped: int, **options: Any) -> None:
    torch.manual_seed(0)
    model = recipe.build_model(recipe.train_set())
    timer = Timer(perf_counter)
    _timed_fit(timer, model, data, channels_last=True, **options)
    rate = BATCH / timer.seconds_per_step(skipped)
    print(f"  {where:50} {rate:7.1f} images/s, {timer.share_waited(skipped):5.1%} of the time waiting for data")


if __name__ == "__main__":
    main()
