"""FCN-32s to FCN-2s, three small networks of each, on street scenes of 96×128 pixels: the comparisons of lesson 03."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.losses import count_pixels, median_frequency_weights
from course_utils.metrics import ConfusionMatrix
from course_utils.models.fcn_family import SMALL, FCNFamily
from course_utils.models.fcn_vgg import FCN8s, FCN16s, FCN32s
from tools.weights.ways_up_street import learn, scenes
from tools.weights_recipe import Recipe

SIZE, SCENES, STEPS, COPIES = (96, 128), 400, 450, 3


def train(model: FCNFamily) -> None:
    """Each member by itself: copy i of every kind sees the same batches in the same order.

    In stages: a third of the steps as FCN-32s, a third as FCN-16s that starts from it, a third as FCN-8s.
    """
    images, masks = scenes("train", SCENES, SIZE)
    weight = median_frequency_weights(*count_pixels(zip(images, masks, strict=True), num_classes=8)).sqrt()
    for kind, members in model.members.items():
        for copy, member in enumerate(members):
            torch.manual_seed(copy)
            if kind == "8s in stages":
                in_stages(member, images, masks, weight)
            else:
                learn(member, images, masks, weight, STEPS)


def in_stages(last: FCN8s, images: Tensor, masks: Tensor, weight: Tensor) -> None:
    coarser = None
    for network in (FCN32s(8, **SMALL), FCN16s(8, **SMALL), last):
        if coarser is not None:
            network.start_from(coarser)
        learn(network, images, masks, weight, STEPS // 3)
        coarser = network


def score(model: FCNFamily) -> dict[str, float]:
    """Means over the copies on 100 validation scenes."""
    images, masks = scenes("val", 100, SIZE)
    scores = {}
    for kind, members in model.members.items():
        with torch.no_grad():
            matrices = [ConfusionMatrix(8).update(member(images - 0.5).argmax(1), masks) for member in members]
        scores[f"mean_iu {kind}"] = sum(matrix.mean_iu() for matrix in matrices) / COPIES
        scores[f"iu_pole {kind}"] = float(sum(matrix.iu()[7] for matrix in matrices)) / COPIES
    return scores


RECIPE = Recipe(
    model="fcn_family",
    num_classes=8,
    options={"copies": COPIES},
    train=train,
    score=score,
    about=f"{SCENES} street scenes of 96×128 pixels, 0.5 taken off; each member {STEPS} steps of 6 scenes, half of "
    "them mirrored, AdamW, one cycle to 0.01, cross-entropy with the square roots of median frequency weights; copy i "
    "of each kind sees the same batches; in stages: three times a third of the steps, each with a cycle of its own",
)
