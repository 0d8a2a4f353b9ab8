"""FCN-8s, an eighth as wide as the paper's, on street scenes of 96×128 pixels: for the skip mixer of lesson 03."""

from __future__ import annotations

import torch

from course_utils.losses import count_pixels, median_frequency_weights
from course_utils.metrics import ConfusionMatrix, boundary_f1
from course_utils.models.fcn_vgg import FCN8s
from tools.weights.ways_up_street import learn, scenes
from tools.weights_recipe import Recipe

SIZE, SCENES, STEPS = (96, 128), 600, 1500


def train(model: FCN8s) -> None:
    images, masks = scenes("train", SCENES, SIZE)
    weight = median_frequency_weights(*count_pixels(zip(images, masks, strict=True), num_classes=8)).sqrt()
    learn(model, images, masks, weight, STEPS)


def score(model: FCN8s) -> dict[str, float]:
    """On 100 validation scenes."""
    images, masks = scenes("val", 100, SIZE)
    with torch.no_grad():
        prediction = torch.cat([model(batch - 0.5).argmax(1) for batch in images.split(10)])
    matrix = ConfusionMatrix(8).update(prediction, masks)
    outlines = boundary_f1(prediction, masks, 8, tolerance=1)
    return {"mean_iu": matrix.mean_iu(), "iu_pole": float(matrix.iu()[7]), "boundary_f1": float(outlines.nanmean())}


RECIPE = Recipe(
    model="fcn8s",
    num_classes=8,
    options={"padding": "same", "width": 8, "fc_width": 128, "batch_norm": True},
    train=train,
    score=score,
    about=f"{SCENES} street scenes of 96×128 pixels, 0.5 taken off; {STEPS} steps of 6 scenes, half of them mirrored, "
    "AdamW, one cycle to 0.01, cross-entropy with the square roots of median frequency weights",
)
