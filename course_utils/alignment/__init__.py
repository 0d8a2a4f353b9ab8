"""Alignment (对齐): where the units of each map lie over the image, and the crops that put one map on another.

Along one axis a map is an evenly spaced row of units (`Grid`). Every layer moves unit 0 and changes the spacing. Both
are exact fractions here, so a crop either aligns two maps, or is a known part of a pixel off. A pixel's middle is its
coordinate: pixel 0 reaches from −½ to ½, as in `course_utils.receptive_field`.

    crops(network("fcn8s"), 500)   # {"pool4": 5, "pool3": 9, "image": 31}

A network that is not in `NETWORKS` is a list of `Layer`s.
"""

from course_utils.alignment.grid import Grid
from course_utils.alignment.layers import IMAGE, KINDS, Layer, Row, align, crops, smallest_size, with_padding
from course_utils.alignment.networks import NETWORKS, WITH_SAME, network

__all__ = [
    "IMAGE",
    "KINDS",
    "NETWORKS",
    "WITH_SAME",
    "Grid",
    "Layer",
    "Row",
    "align",
    "crops",
    "network",
    "smallest_size",
    "with_padding",
]
