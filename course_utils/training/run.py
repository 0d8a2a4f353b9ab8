"""A run in progress: everything that a checkpoint must hold so that the run can go on as if nothing had happened."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from course_utils.metrics import ConfusionMatrix
from course_utils.training.checkpoint import CheckpointError, CheckpointFolder
from course_utils.training.history import History, Row
from course_utils.training.random_state import random_states, restore_random_states

FORMAT = 1
"""Raised when older checkpoints can't be read any more."""


class Run:
    """Where training stands.

    epoch: finished epochs; step: finished steps of the current one; loss_sum, matrix: its losses and its training
    confusion matrix so far, of this process. history: the log of the finished epochs. settings: what must be the same
    when the run is resumed. about: what the user wants to be kept with the weights.
    """

    def __init__(
        self,
        fabric: Fabric,
        model: nn.Module,
        optimizer: Optimizer,
        schedule: LRScheduler,
        matrix: ConfusionMatrix,
        *,
        settings: dict[str, Any],
        about: dict[str, Any],
    ):
        self.fabric, self.model, self.optimizer, self.schedule = fabric, model, optimizer, schedule
        self.settings, self.about = settings, about
        self.epoch = self.step = 0
        self.loss_sum = self.last_loss = 0.0
        self.matrix = matrix
        self.history = History()
        self.best_file: str | None = None
        self.store: CheckpointFolder | None = None
        self._clock = time.monotonic()

    def keep_in(self, folder: Path, *, resume: bool, say: Callable[[str], None]) -> None:
        """Save to `folder` from now on; with `resume`, first go back to where its newest checkpoint stands.

        Raises ValueError if the folder has checkpoints and `resume` is false, or they are of other settings or of
        another model; CheckpointError if all are damaged.
        """
        self.store = CheckpointFolder(folder, say)
        if self.store and not resume:
            raise ValueError(
                f"folder: {folder} holds the checkpoints of a run. Go on with resume=True, or name another."
            )
        state = self.store.newest()
        if state is not None:
            self._load(state)
            say(f"Going on after {self.epoch} epochs and {self.step} steps.")
        elif resume:
            say("No checkpoint yet: a new run.")
        self.fabric.barrier()
        if state is None:
            self.save()

    @property
    def total_steps(self) -> int:
        """Steps so far, of all epochs."""
        return self.epoch * self.settings["steps_per_epoch"] + self.step

    def add_step(self, loss: Tensor, prediction: Tensor, target: Tensor) -> None:
        """Count a step: its loss (the mean over all processes is kept) and what was predicted in it."""
        loss = loss.detach().clone()  # all_reduce works in place
        if self.fabric.world_size > 1:
            loss = self.fabric.all_reduce(loss, reduce_op="mean")
        self.last_loss = float(loss)
        self.loss_sum += self.last_loss
        self.matrix.update(prediction, target)
        self.step += 1

    def training_scores(self) -> Row:
        """Scores of the current epoch's steps so far."""
        matrix = ConfusionMatrix(self.matrix.num_classes)
        matrix.matrix = self._sum_of_matrices()
        return {"train_loss": self.loss_sum / self.step, "train_mean_iu": matrix.mean_iu()}

    def end_epoch(self) -> None:
        self.epoch += 1
        self.step, self.loss_sum = 0, 0.0
        self.matrix = ConfusionMatrix(self.matrix.num_classes, self.matrix.ignore_index)

    def save(self, *, is_best: bool = False) -> None:
        """Write a checkpoint to go on from, and if it `is_best`, one to use."""
        now = time.monotonic()
        self.history.seconds += now - self._clock
        self._clock = now
        if self.store is None:
            return
        states, matrix = self._random_states_of_all(), self._sum_of_matrices()
        if self.fabric.is_global_zero:
            if is_best:
                self.best_file = self.store.save("best", self.total_steps, self._for_use())
            self.store.save("last", self.total_steps, self._for_use() | self._to_go_on(states, matrix))
            self.store.prune(self.best_file)
        self.fabric.barrier()

    def _for_use(self) -> dict[str, Any]:
        model = {name: tensor.detach().cpu() for name, tensor in self.model.state_dict().items()}
        return {"format": FORMAT, "about": self.about, "settings": self.settings, "epoch": self.epoch, "model": model}

    def _to_go_on(self, random: list[dict[str, Any]], matrix: Tensor) -> dict[str, Any]:
        history = self.history
        return {
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.fabric.strategy.precision.state_dict(),
            "random": random,
            "step": self.step,
            "loss_sum": self.loss_sum,
            "matrix": matrix.cpu(),
            "best_file": self.best_file,
            "history": {
                "rows": history.rows,
                "best_epoch": history.best_epoch,
                "seconds": history.seconds,
                "stopped_early": history.stopped_early,
            },
        }

    def _load(self, state: dict[str, Any]) -> None:
        self._check_fits(state)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.fabric.strategy.precision.load_state_dict(state["scaler"])
        restore_random_states(state["random"][self.fabric.global_rank])
        self.epoch, self.step = state["epoch"], state["step"]
        self.loss_sum = state["loss_sum"]
        if self.fabric.is_global_zero:  # the sum of all processes
            self.matrix.matrix = state["matrix"]
        self.best_file = state["best_file"]
        for name, value in state["history"].items():
            setattr(self.history, name, value)

    def _check_fits(self, state: dict[str, Any]) -> None:
        folder = self.store.folder
        if state.get("format") != FORMAT:
            raise CheckpointError(f"{folder}: its checkpoints have another format. Start the run anew.")
        check_weights_fit(self.model, state["model"], str(folder))
        then, now = state["settings"], self.settings
        changed = [
            f"{name} was {then.get(name)!r}, is {now.get(name)!r}" for name in now if then.get(name) != now[name]
        ]
        if changed:
            raise ValueError(
                f"resume: the run in {folder} had other settings: {'; '.join(changed)}. Use the same, or start a new "
                "run in another folder."
            )

    def _random_states_of_all(self) -> list[dict[str, Any]]:
        if self.fabric.world_size == 1:
            return [random_states()]
        states: list[Any] = [None] * self.fabric.world_size
        torch.distributed.all_gather_object(states, random_states())
        return states

    def _sum_of_matrices(self) -> Tensor:
        matrix = self.matrix.matrix
        return self.fabric.all_reduce(matrix.clone(), reduce_op="sum") if self.fabric.world_size > 1 else matrix


def check_weights_fit(model: nn.Module, weights: dict[str, Tensor], where: str) -> None:
    """Raise ValueError if the weights are those of another model, and say where the two differ."""
    ours = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    theirs = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if ours == theirs:
        return
    differing = [
        f"{name} is {ours.get(name, 'missing')} in the model, {theirs.get(name, 'missing')} in the checkpoint"
        for name in [*ours, *(theirs.keys() - ours.keys())]
        if ours.get(name) != theirs.get(name)
    ]
    raise ValueError(
        f"model: the checkpoint in {where} is of another model, or of one with another number of classes: "
        f"{differing[0]}{f', and {len(differing) - 1} more' if len(differing) > 1 else ''}. Build the same model."
    )
