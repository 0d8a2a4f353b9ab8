"""The training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import isfinite
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from course_utils.training.checks import check_channels, check_logits, main_output
from course_utils.training.evaluation import score
from course_utils.training.history import History, Row
from course_utils.training.interrupt import StopRequest, TrainingInterrupted
from course_utils.training.loaders import TrainingBatches
from course_utils.training.logbook import Logbook
from course_utils.training.run import Run


class TrainingDiverged(FloatingPointError):
    """The loss is not a finite number any more. `batch`: the images and the target it happened on."""

    def __init__(self, message: str, batch: tuple[Tensor, Tensor]):
        super().__init__(message)
        self.batch = batch


def train_loop(
    run: Run,
    network: nn.Module,
    batches: TrainingBatches,
    val: Dataset | None,
    val_loader: DataLoader | None,
    *,
    epochs: int,
    loss: Callable[[Any, Tensor], Tensor],
    clip: float | None,
    patience: int | None,
    checkpoint_every: int | None,
    on_epoch: Iterable[Callable[[History], None]],
    logbook: Logbook,
    bar: tqdm,
) -> None:
    """Train from where `run` stands until `epochs` are done, or `patience` of them brought nothing better."""
    fabric, optimizer, schedule, history = run.fabric, run.optimizer, run.schedule, run.history
    with StopRequest() as stop:
        while run.epoch < epochs and not history.stopped_early:
            network.train()
            for images, target in batches.of(run.epoch, run.step):
                share = agree(run, target, stop.asked)
                check_channels(network, images)
                outputs = network(images)
                check_logits(main_output(outputs), target, run.matrix.num_classes)
                step_loss = loss(outputs, target) * share
                check_finite(step_loss, images, target, run)
                fabric.backward(step_loss)
                if clip is not None:
                    fabric.clip_gradients(network, optimizer, max_norm=clip)
                optimizer.step()
                optimizer.zero_grad()
                lr = schedule.get_last_lr()[0]
                schedule.step()

                run.add_step(step_loss, main_output(outputs).detach().max(1).indices, target)
                logbook.step(run.total_steps, run.last_loss, lr)
                bar.set_postfix_str(_summary(run), refresh=False)
                bar.update()
                if checkpoint_every and run.step % checkpoint_every == 0 and run.step < len(batches):
                    run.save()

            row = {"epoch": run.epoch + 1, "step": run.total_steps, "lr": lr, **run.training_scores()}
            if val_loader is not None:
                row |= _validation_scores(*score(fabric, network, val_loader, val, loss=loss))
            is_best = history.add(row)
            history.stopped_early = patience is not None and len(history.rows) - history.best_epoch >= patience
            for act in on_epoch:
                act(history)
            run.end_epoch()
            run.save(is_best=is_best)
            logbook.epoch(history)


def agree(run: Run, target: Tensor, stop: bool) -> float:
    """What to multiply this process's loss with, so that the mean of all is that over the pixels of the whole batch.

    Raises TrainingInterrupted, after saving, if any process was asked to stop.
    """
    share = 1.0
    if run.fabric.world_size > 1:
        valid = (target != run.matrix.ignore_index).sum()
        counts = torch.stack([valid, torch.tensor(int(stop), device=valid.device)])
        total, stop = run.fabric.all_reduce(counts, reduce_op="sum").tolist()
        share = int(valid) * run.fabric.world_size / max(total, 1)
    if stop:
        run.save()
        where = f" The state is saved in {run.store.folder}: go on with resume=True." if run.store else ""
        raise TrainingInterrupted(f"Stopped in epoch {run.epoch + 1} after {run.step} steps.{where}")
    return share


def check_finite(loss: Tensor, images: Tensor, target: Tensor, run: Run) -> None:
    """Raise TrainingDiverged if the loss is NaN or infinite; the batch is saved in the run's folder, if it has one."""
    if isfinite(loss.item()):
        return
    where = ""
    if run.store is not None:
        path = run.store.folder / f"diverged-{run.total_steps + 1:08d}.pt"
        torch.save({"images": images.cpu(), "target": target.cpu()}, path)
        where = f" The batch is saved as {path}."
    unusual = "" if images.isfinite().all() else " The images hold values that are not finite: mend the data."
    raise TrainingDiverged(
        f"The loss became {loss.item()} in step {run.total_steps + 1} (epoch {run.epoch + 1}).{unusual}{where} "
        "Usual causes: a learning rate that is too high, gradients without clip, 16-bit numbers that overflow.",
        (images, target),
    )


def _validation_scores(matrix, loss: float) -> Row:
    return {
        "val_loss": loss,
        "val_acc": matrix.acc(),
        "val_acc_cls": matrix.acc_cls(),
        "val_mean_iu": matrix.mean_iu(),
        "val_fw_iu": matrix.fw_iu(),
    }


def _summary(run: Run) -> str:
    """For the bar: the loss now, the last and the best mean IoU of the validation."""
    text = f"loss {run.last_loss:.3f}"
    if run.history.rows and "val_mean_iu" in run.history.rows[-1]:
        last, best = run.history.rows[-1]["val_mean_iu"], run.history.best["val_mean_iu"]
        text += f", mean IoU {last:.3f}, best {best:.3f} in epoch {run.history.best_epoch}"
    return text
