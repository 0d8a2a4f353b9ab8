"""Five arms of three small U-Nets on generated cells: the comparisons of lesson 04."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision import tv_tensors

from course_utils.data.elastic import ElasticDeformation
from course_utils.metrics import ConfusionMatrix
from course_utils.models.small_unets import SmallUNets
from tools.weights.unet_cells import cells, learn, weight_maps
from tools.weights_recipe import Recipe

IMAGES, STEPS, COPIES, CROP = 300, 1000, 3, 64
FEW, BENT, SIGMA = 10, 30, 3.0  # images of the arms with few; how often each is bent, and by how many pixels


def train(model: SmallUNets) -> None:
    """Each member by itself; copy i of every arm starts from the same random numbers."""
    images, masks, instances = cells("train", IMAGES)
    plain = torch.ones(masks.shape)
    few = (images[:FEW], masks[:FEW], plain[:FEW])
    data = {
        "plain": (images, masks, plain),
        "weight_map": (images, masks, weight_maps(masks, instances)),
        "sum": (images, masks, plain),
        "ten_images": few,
        "ten_bent": bent(images[:FEW], masks[:FEW]),
    }
    for arm, members in model.members.items():
        for copy, member in enumerate(members):
            torch.manual_seed(copy)
            learn(member, *data[arm], steps=STEPS, lr=1e-2, crop=CROP)


def bent(images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Images, masks and weights of 1: each image many times, always bent in another way."""
    bend = ElasticDeformation(sigma=SIGMA)
    pairs = [
        bend(tv_tensors.Image(image), tv_tensors.Mask(mask))
        for image, mask in zip(images, masks, strict=True)
        for _ in range(BENT)
    ]
    bent_images, bent_masks = (torch.stack(tensors).as_subclass(Tensor) for tensors in zip(*pairs, strict=True))
    return bent_images, bent_masks, torch.ones(bent_masks.shape)


@torch.no_grad()
def score(model: SmallUNets) -> dict[str, float]:
    """IoU of cells on 100 validation images, means over the copies."""
    images, masks, _ = cells("val", 100)
    return {
        f"iou_cells_{arm}": sum(ConfusionMatrix(2).update(m(images).argmax(1), masks).iu()[1].item() for m in members)
        / COPIES
        for arm, members in model.members.items()
    }


RECIPE = Recipe(
    model="small_unets",
    num_classes=2,
    in_channels=1,
    options={"copies": COPIES},
    train=train,
    score=score,
    about=f"cells of 96×128 pixels, (image - 0.5) / 0.1; each member {STEPS} steps of 4 crops of {CROP}×{CROP}, "
    f"mirrored at random, AdamW, one cycle to 0.01, cross-entropy. Arms: plain and sum, {IMAGES} images; weight_map, "
    f"the same with the U-Net's map (w0 10, sigma 5, no class weights); ten_images, {FEW} of them; ten_bent, those, "
    f"bent {BENT} ways each (sigma {SIGMA:g} pixels)",
)
