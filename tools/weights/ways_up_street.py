"""Five ways up, three networks each, on street scenes of 48×64 pixels: the comparison of lesson 05."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_utils.data import load_dataset
from course_utils.losses import count_pixels, cross_entropy, median_frequency_weights
from course_utils.metrics import ConfusionMatrix, boundary_f1
from course_utils.models.ways_up import WaysUp
from tools.weights_recipe import Recipe

SIZE, SCENES, STEPS, COPIES = (48, 64), 400, 600, 3


def train(model: WaysUp) -> None:
    """Each member by itself: copy i of every way sees the same batches in the same order."""
    images, masks = scenes("train", SCENES, SIZE)
    weight = median_frequency_weights(*count_pixels(zip(images, masks, strict=True), num_classes=8))
    for members in model.members.values():
        for copy, member in enumerate(members):
            torch.manual_seed(copy)
            learn(member, images, masks, weight, STEPS)


def learn(model: nn.Module, images: Tensor, masks: Tensor, weight: Tensor, steps: int) -> None:
    """Steps of six scenes, half of them mirrored, with a learning rate that rises and falls once."""
    model.to(memory_format=torch.channels_last).train()  # the same numbers in another order: a CPU is faster with it
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, total_steps=steps)
    for step in range(steps):
        batch = torch.randint(len(images), (6,))
        image, mask = images[batch] - 0.5, masks[batch]
        if step % 2:
            image, mask = image.flip(-1), mask.flip(-1)
        optimizer.zero_grad()
        cross_entropy(model(image), mask, weight=weight).backward()
        optimizer.step()
        schedule.step()


def score(model: WaysUp) -> dict[str, float]:
    """Means over the three copies on 100 validation scenes."""
    images, masks = scenes("val", 100, SIZE)
    scores = {}
    for way, members in model.members.items():
        with torch.no_grad():
            predictions = [member(images - 0.5).argmax(1) for member in members]
        ious = [ConfusionMatrix(8).update(prediction, masks).mean_iu() for prediction in predictions]
        outlines = [boundary_f1(prediction, masks, 8, tolerance=1).nanmean() for prediction in predictions]
        scores[f"mean_iu_{way}"] = sum(ious) / COPIES
        scores[f"boundary_f1_{way}"] = float(sum(outlines)) / COPIES
    return scores


def scenes(split: str, number: int, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Images (N, 3, H, W) and masks (N, H, W) of the size (H, W)."""
    dataset = load_dataset("street_scenes", split, size=size, length=number)
    images, masks = zip(*(dataset[i] for i in range(number)), strict=True)
    return torch.stack(images), torch.stack(masks)


RECIPE = Recipe(
    model="ways_up",
    num_classes=8,
    options={"copies": COPIES},
    train=train,
    score=score,
    about=f"{SCENES} street scenes of 48×64 pixels, 0.5 taken off; each member {STEPS} steps of 6 scenes, half of them "
    "mirrored, AdamW, one cycle to 0.01, cross-entropy with median frequency weights; copy i of each way sees the same "
    "batches",
)
