"""Losses for semantic segmentation: logits (N, K, H, W), float, and a target (N, H, W), int64, void 255.

Each returns a scalar, leaves void pixels out, and gives zero with a gradient of zeros where every pixel is void.
Half-precision logits, as under autocast, are computed with in float32.
"""

from course_utils.losses.class_weights import (
    PixelCounts,
    count_pixels,
    enet_class_weights,
    median_frequency_weights,
)
from course_utils.losses.deep_supervision import deep_supervision
from course_utils.losses.overlap import dice_loss, jaccard_loss, lovasz_softmax
from course_utils.losses.pixel import cross_entropy, focal_loss, ohem_cross_entropy, weighted_cross_entropy

__all__ = [
    "PixelCounts",
    "count_pixels",
    "cross_entropy",
    "deep_supervision",
    "dice_loss",
    "enet_class_weights",
    "focal_loss",
    "jaccard_loss",
    "lovasz_softmax",
    "median_frequency_weights",
    "ohem_cross_entropy",
    "weighted_cross_entropy",
]
