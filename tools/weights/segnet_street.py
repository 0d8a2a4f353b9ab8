"""SegNet, an eighth as wide, on street scenes of 96×128 pixels: what its indices are worth, in lesson 05."""

from __future__ import annotations

import torch

from course_utils.losses import count_pixels, median_frequency_weights
from course_utils.metrics import ConfusionMatrix, boundary_f1
from course_utils.models.segnet import SegNet
from tools.weights.ways_up_street import learn, scenes
from tools.weights_recipe import Recipe

SIZE, SCENES, STEPS = (96, 128), 800, 2500


def train(model: SegNet) -> None:
    images, masks = scenes("train", SCENES, SIZE)
    weight = median_frequency_weights(*count_pixels(zip(images, masks, strict=True), num_classes=8))
    learn(model, images, masks, weight, STEPS)


def score(model: SegNet) -> dict[str, float]:
    """On 100 validation scenes."""
    images, masks = scenes("val", 100, SIZE)
    with torch.no_grad():
        prediction = torch.cat([model(batch - 0.5).argmax(1) for batch in images.split(10)])
    outlines = boundary_f1(prediction, masks, 8, tolerance=1)
    return {
        "mean_iu": ConfusionMatrix(8).update(prediction, masks).mean_iu(),
        "boundary_f1": float(outlines.nanmean()),
    }


RECIPE = Recipe(
    model="segnet",
    num_classes=8,
    options={"width": 8},
    train=train,
    score=score,
    about=f"{SCENES} street scenes of 96×128 pixels, 0.5 taken off; {STEPS} steps of 6 scenes, half of them mirrored, "
    "AdamW, one cycle to 0.01, cross-entropy with median frequency weights",
)
