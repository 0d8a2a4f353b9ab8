"""The palette of the street scenes can be told apart by every eye, and in print."""

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from course_utils.data.street_scenes import StreetScenes

# Machado, Oliveira, Fernandes 2009, table 1, severity 1.0: linear RGB as seen without one kind of cone.
VISION = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def seen(palette, vision):
    value = palette / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.transpose(VISION[vision]), 0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize(
    ("vision", "least"), [("normal", 24), ("protanopia", 19), ("deuteranopia", 19), ("tritanopia", 15)]
)
def test_every_two_classes_differ_for_every_eye(vision, least):
    """CIEDE2000: 1 is the least an eye can see, 10 is plain at a glance."""
    lab = rgb2lab(seen(StreetScenes("train").palette, vision))
    difference = deltaE_ciede2000(lab[:, None], lab[None])
    assert difference[~np.eye(len(lab), dtype=bool)].min() > least


def test_every_two_classes_differ_in_grey():
    lightness = np.sort(rgb2lab(StreetScenes("train").palette / 255)[:, 0])
    assert np.diff(lightness).min() > 8  # of 100
