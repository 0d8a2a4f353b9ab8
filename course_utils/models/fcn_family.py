"""Small FCNs that differ in their skips and in how they were trained: lesson 03 compares them."""

from __future__ import annotations

from functools import partial

from course_utils.models.ensemble import Ensemble
from course_utils.models.fcn_vgg import FCNVGG16, FCN2s, FCN4s, FCN8s, FCN16s, FCN32s

KINDS: dict[str, type[FCNVGG16]] = {
    "32s": FCN32s, "16s": FCN16s, "8s": FCN8s, "4s": FCN4s, "2s": FCN2s, "8s in stages": FCN8s,
}  # fmt: skip
SMALL = {"padding": "same", "width": 3, "fc_width": 8, "batch_norm": True}


class FCNFamily(Ensemble):
    """Several small networks of each kind. The ensemble's logits are the mean of its members'.

    members[kind][i] is the i-th network of a kind: FCN on VGG16 with 3 channels in the first stage (VGG16 has 64) and 8
    in fc6 and fc7, padding "same" and batch normalisation. `copies` is how many of each kind there are.

    Shapes: (N, C, H, W) → logits (N, K, H, W), any H and W. Parameters: 256,884 for 3 channels, 8 classes and one copy
    of each of the six. The course's own.

    Raises ValueError for fewer than one copy.
    """

    def __init__(self, num_classes: int, in_channels: int = 3, *, copies: int = 1):
        super().__init__({
            kind: partial(network, num_classes, in_channels, **SMALL) for kind, network in KINDS.items()
        }, copies)  # fmt: skip
