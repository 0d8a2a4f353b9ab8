"""The scores of a model on a data set: one confusion matrix over all of it."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from course_utils.losses import cross_entropy
from course_utils.metrics import ConfusionMatrix
from course_utils.training.checks import (
    check_channels,
    check_labelled,
    check_logits,
    check_not_empty,
    fact,
    main_output,
)
from course_utils.training.loaders import evaluation_loader
from course_utils.training.progress import progress_bar


def evaluate(
    model: nn.Module,
    data: Dataset,
    *,
    batch_size: int = 1,
    num_workers: int = 0,
    accelerator: str = "auto",
    precision: str = "32-true",
    progress: bool = False,
) -> ConfusionMatrix:
    """Confusion matrix of `model` over all of `data`, void left out, in evaluation mode and without gradients.

    batch_size: images at a time; they must be of one size if there are several. accelerator: "auto" (CUDA, else
    Apple's GPU, else the CPU), "cpu", "cuda" or "mps". precision: "32-true", "bf16-mixed" or "16-mixed". progress:
    show a bar. The model is back on its device and in its mode afterwards.

    Raises ValueError if the data are empty, are not labelled, or do not fit the model.
    """
    check_not_empty("data", data)
    check_labelled("data", data)
    fabric = Fabric(accelerator=accelerator, devices=1, precision=precision)
    loader = evaluation_loader(fabric, data, batch_size, num_workers)
    home = next(model.parameters()).device
    try:
        with progress_bar(progress, total=len(loader), desc="evaluate") as bar:
            return score(fabric, fabric.setup_module(model), loader, data, bar=bar)[0]
    finally:
        model.to(home)


@torch.no_grad()
def score(
    fabric: Fabric,
    model: nn.Module,
    loader: DataLoader,
    data: Dataset,
    *,
    loss: Callable[..., Tensor] = cross_entropy,
    bar: tqdm | None = None,
) -> tuple[ConfusionMatrix, float]:
    """Confusion matrix over what the loaders of all processes give, and the mean loss per valid pixel."""
    num_classes, ignore_index = len(fact(data, "classes")), fact(data, "ignore_index")
    matrix = ConfusionMatrix(num_classes, ignore_index)
    loss_sum, valid = 0.0, 0
    was_training = model.training
    model.eval()
    for images, target, *_ in loader:
        images, target = fabric.to_device((images, target))
        check_channels(model, images)
        outputs = model(images)
        logits = main_output(outputs)
        check_logits(logits, target, num_classes)
        matrix.update(logits.max(1).indices, target)
        pixels = int((target != ignore_index).sum())
        loss_sum += float(loss(outputs, target)) * pixels
        valid += pixels
        if bar is not None:
            bar.update()
    model.train(was_training)
    if fabric.world_size > 1:
        matrix.matrix = fabric.all_reduce(matrix.matrix.to(fabric.device), reduce_op="sum")
        loss_sum, valid = fabric.all_reduce(
            torch.tensor([loss_sum, valid], device=fabric.device), reduce_op="sum"
        ).tolist()
    return matrix, loss_sum / valid if valid else math.nan
