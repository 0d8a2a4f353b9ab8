"""The course's look: it stays within its figures, and nothing in it hangs on colour alone."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations

import matplotlib
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb
from skimage.color import deltaE_ciede2000, rgb2lab

from course_utils.plotting import OKABE_ITO, style, subplots

# Machado, Oliveira & Fernandes (2009), severity 1.0; applied to linear RGB.
DEFICIENCIES = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "none": np.eye(3),
}


def seen(color: str, deficiency: str) -> np.ndarray:
    """CIELAB of `color` as a reader with this colour vision sees it."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(DEFICIENCIES[deficiency]) @ linear, 0, 1)
    return rgb2lab(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


def test_every_two_colors_differ_for_every_reader() -> None:
    for deficiency in DEFICIENCIES:
        for (first, a), (second, b) in combinations(OKABE_ITO.items(), 2):
            difference = deltaE_ciede2000(seen(a, deficiency), seen(b, deficiency))
            assert difference > 9, (first, second, deficiency, difference)


def test_lines_differ_in_more_than_color() -> None:
    _, ax = subplots()
    lines = [ax.plot([0, 1])[0] for _ in range(6)]
    assert len({line.get_color() for line in lines}) == 6
    assert len({str(line._dash_pattern) for line in lines}) == 6
    assert {line.get_color() for line in lines} <= set(OKABE_ITO.values())


def test_the_look_ends_with_its_context() -> None:
    before = dict(matplotlib.rcParams)
    with style():
        assert not matplotlib.rcParams["axes.spines.top"]
    subplots()
    assert dict(matplotlib.rcParams) == before


def test_subplots_is_pyplots_but_pyplot_does_not_show_it() -> None:
    before = plt.get_fignums()
    fig, axes = subplots(2, 3, width=640, height=240, sharex=True)
    assert axes.shape == (2, 3)
    assert tuple(fig.get_size_inches() * 100) == (640, 240)
    assert not axes[0, 0].spines["top"].get_visible()
    assert axes[0, 0].get_shared_x_axes().joined(axes[0, 0], axes[1, 2])
    assert plt.get_fignums() == before


def test_plotting_loads_without_torch() -> None:
    program = "import sys, course_utils.plotting; raise SystemExit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
