"""`fit`: everything that the training loop in `loop.py` needs, set up on one CPU, one GPU, or several."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.utils.data import Dataset

from course_utils.losses import cross_entropy
from course_utils.metrics import ConfusionMatrix
from course_utils.training.checks import check_run, check_settings, fact
from course_utils.training.history import History
from course_utils.training.loaders import TrainingBatches, evaluation_loader
from course_utils.training.logbook import Logbook, NoLogbook
from course_utils.training.loop import train_loop
from course_utils.training.progress import progress_bar
from course_utils.training.random_state import seed_everything
from course_utils.training.run import Run
from course_utils.training.schedules import make_schedule


def fit(
    model: nn.Module,
    train: Dataset,
    val: Dataset | None = None,
    *,
    epochs: int,
    batch_size: int = 8,
    loss: Callable[[Any, Tensor], Tensor] = cross_entropy,
    lr: float = 1e-3,
    optimizer: Callable[..., Optimizer] = AdamW,
    schedule: str = "poly",
    clip: float | None = None,
    patience: int | None = None,
    seed: int = 0,
    folder: str | Path | None = None,
    resume: bool = False,
    checkpoint_every: int | None = None,
    about: dict[str, Any] | None = None,
    val_batch_size: int | None = None,
    num_workers: int = 0,
    accelerator: str = "auto",
    precision: str = "32-true",
    channels_last: bool = False,
    compile: bool = False,
    progress: bool = True,
    on_epoch: Iterable[Callable[[History], None]] = (),
) -> History:
    """Train `model` in place, and return the log.

    What is learned, and how:
        train, val: data sets of (image, mask) with `classes` and `ignore_index`. After each epoch the model is scored
            on all of `val` by one confusion matrix; the best epoch is the one with the highest mean IoU.
        epochs: passes over `train`. batch_size: images per step, all processes together; the few that don't fill a
            batch are left out, others in each epoch.
        loss: called with what the model returns and the target (N, H, W); its mean over valid pixels.
        lr, optimizer: `optimizer(parameters, lr=lr)`; functools.partial gives it more arguments. schedule: "poly",
            "one_cycle", "step" or "constant", see `make_schedule`. clip: largest norm of the gradient.
        patience: stop after so many epochs without a better one.
        seed: of the order, the augmentation, dropout. Same seed, same machine, same result on a CPU.

    What survives:
        folder: for checkpoints (`last-…`, `best-…`), `log.csv` and TensorBoard's files. Nothing is written without it.
        resume: go on from the newest undamaged checkpoint there, if there is any: the result is the one that the run
            would have had without the interruption. checkpoint_every: save after so many steps too, not only after
            each epoch. about: plain values kept in the checkpoints for whoever loads them.

    Where it runs:
        accelerator: "auto" (CUDA, else Apple's GPU, else CPU), "cpu", "cuda", "mps". Under
            `torchrun --nproc-per-node N` each process takes its share of each batch. precision: "32-true",
            "bf16-mixed", "16-mixed". channels_last, compile: see `torch.channels_last`, `torch.compile`.
        num_workers: processes that load data. val_batch_size: images at a time in validation, by default batch_size.
        progress: show a bar. on_epoch: called with the log after each epoch, before it is saved.

    Raises ValueError or TypeError if the data are empty or do not fit the model or one another, or a resumed run has
    other settings; `TrainingDiverged` if the loss becomes NaN or infinite (the batch is saved); `TrainingInterrupted`
    after Ctrl-C (the state is saved); `CheckpointError` if one can't be written or all are damaged.
    """
    fabric = make_fabric(accelerator, precision)
    check_run(train, val, batch_size, fabric.world_size)
    check_settings(epochs=epochs, clip=clip, patience=patience, checkpoint_every=checkpoint_every, seed=seed)
    seed_everything(seed + fabric.global_rank)
    if channels_last:
        model.to(memory_format=torch.channels_last)
    network, updates = fabric.setup(torch.compile(model) if compile else model, optimizer(model.parameters(), lr=lr))
    batches = TrainingBatches(fabric, train, batch_size, seed, num_workers, channels_last)
    val_loader = val and evaluation_loader(fabric, val, val_batch_size or batch_size, num_workers)

    steps = len(batches)
    rates = make_schedule(schedule, updates.optimizer, epochs * steps)
    settings = {
        "epochs": epochs, "batch_size": batch_size, "steps_per_epoch": steps, "loss": _name(loss), "lr": lr,
        "optimizer": _name(optimizer), "schedule": schedule, "clip": clip, "seed": seed, "precision": precision,
    }  # fmt: skip
    matrix = ConfusionMatrix(len(fact(train, "classes")), fact(train, "ignore_index"))
    run = Run(fabric, model, updates, rates, matrix, settings=settings, about=about or {})
    logbook = NoLogbook()
    if folder is not None:
        run.keep_in(Path(folder), resume=resume, say=print if fabric.is_global_zero else lambda text: None)
        if fabric.is_global_zero:
            logbook = Logbook(Path(folder), run.history, run.total_steps)
    shown = progress and fabric.is_global_zero
    bar = progress_bar(shown, total=epochs * steps, initial=run.total_steps, unit="step")
    with bar, logbook:
        train_loop(
            run, network, batches, val, val_loader,
            epochs=epochs, loss=loss, clip=clip, patience=patience, checkpoint_every=checkpoint_every,
            on_epoch=on_epoch, logbook=logbook, bar=bar,
        )  # fmt: skip
    return run.history


def make_fabric(accelerator: str, precision: str) -> Fabric:
    """One device, or under torchrun one for each of its processes."""
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # what is used was asked for
    devices = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    nodes = int(os.environ.get("WORLD_SIZE", 1)) // devices
    fabric = Fabric(accelerator=accelerator, devices=devices, num_nodes=nodes, precision=precision)
    fabric.launch()
    return fabric


def _name(function: Any) -> str:
    """A name that stays the same from session to session: of a partial, the function's with its arguments."""
    if hasattr(function, "func"):
        arguments = [*map(repr, function.args), *(f"{name}={value!r}" for name, value in function.keywords.items())]
        return f"{_name(function.func)}({', '.join(arguments)})"
    return getattr(function, "__qualname__", type(function).__qualname__)
