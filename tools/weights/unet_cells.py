"""U-Net, an eighth as wide, on generated cells with the weight map: tiles and counts, in lesson 04."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor, nn

from course_utils.data import load_dataset
from course_utils.losses import weighted_cross_entropy
from course_utils.metrics import ConfusionMatrix
from course_utils.models.unet import UNet
from course_utils.weight_maps import unet_weight_map
from tools.weights_recipe import Recipe

IMAGES, STEPS = 600, 3000


def train(model: UNet) -> None:
    images, masks, instances = cells("train", IMAGES)
    learn(model, images, masks, weight_maps(masks, instances), steps=STEPS, lr=3e-3)


def learn(model: nn.Module, images: Tensor, masks: Tensor, weights: Tensor, *, steps: int, lr: float, crop: int = 0):
    """Steps of four images, mirrored at random or not, with a learning rate that rises and falls once.

    crop: side of the square that is cut out of them at random; 0 for whole images.
    """
    model.to(memory_format=torch.channels_last).train()  # the same numbers in another order: a CPU is faster with it
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=lr, total_steps=steps)
    height, width = masks.shape[1:]
    rows, cols = (crop, crop) if crop else (height, width)
    for _ in range(steps):
        chosen = torch.randint(len(images), (4,))
        top, left = (int(torch.randint(room + 1, ())) for room in (height - rows, width - cols))
        mirrored = [side for side in (-2, -1) if torch.rand(()) < 0.5]
        image, mask, weight = (
            maps[chosen][..., top : top + rows, left : left + cols].flip(mirrored) for maps in (images, masks, weights)
        )
        loss = weighted_cross_entropy(model(image), mask, weight)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()


@torch.no_grad()
def score(model: UNet) -> dict[str, float]:
    """On 100 validation images: IoU of cells, and predicted pieces for each true cell (8 neighbours)."""
    images, masks, instances = cells("val", 100)
    predictions = torch.cat([model(batch).argmax(1) for batch in images.split(10)])
    pieces = sum(ndimage.label(prediction, np.ones((3, 3)))[1] for prediction in predictions.numpy())
    return {
        "iou_cells": ConfusionMatrix(2).update(predictions, masks).iu()[1].item(),
        "pieces_per_cell": pieces / sum(int(i.max()) for i in instances),
    }


def weight_maps(masks: Tensor, instances: Tensor) -> Tensor:
    """The U-Net's weights (N, H, W): the border term alone, 1 everywhere else."""
    return torch.stack([unet_weight_map(i, class_weights=(1, 1)) for i in instances * masks])


def cells(split: str, number: int) -> tuple[Tensor, Tensor, Tensor]:
    """Images (N, 1, 96, 128), 0.5 taken off and divided by 0.1; masks and instances (N, 96, 128)."""
    dataset = load_dataset("cells", split, length=number, instances=True)
    images, masks, instances = (torch.stack(maps) for maps in zip(*(dataset[i] for i in range(number)), strict=True))
    return (images - 0.5) / 0.1, masks, instances


RECIPE = Recipe(
    model="unet",
    num_classes=2,
    in_channels=1,
    options={"width": 8, "padding": "same"},
    train=train,
    score=score,
    about=f"{IMAGES} images of cells of 96×128 pixels, (image - 0.5) / 0.1; {STEPS} steps of 4, mirrored at random, "
    "AdamW, one cycle to 0.003, cross-entropy with the weight map (w0 10, sigma 5, no class weights)",
)
