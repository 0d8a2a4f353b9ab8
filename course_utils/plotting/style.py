"""The course's look: no chart junk, and nothing that only colour tells apart."""

from __future__ import annotations

from contextlib import AbstractContextManager

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.figure import Figure

OKABE_ITO = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky blue": "#56B4E9",
    "bluish green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "reddish purple": "#CC79A7",
}
"""Okabe and Ito (2008), *Color Universal Design*: eight colours that stay apart for colour-blind readers."""

CSS_PIXELS_PER_INCH = 100
"""10 pt text is then as tall as a notebook's own text."""

_LINES = ["blue", "orange", "bluish green", "vermillion", "sky blue", "reddish purple"]
_STYLE = {
    "axes.prop_cycle": cycler(color=[OKABE_ITO[name] for name in _LINES])
    + cycler(linestyle=["-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1, 1, 1))]),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "figure.dpi": CSS_PIXELS_PER_INCH,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "image.cmap": "cividis",
    "image.interpolation": "nearest",
    "legend.frameon": False,
    "lines.linewidth": 2,
}


def style() -> AbstractContextManager[None]:
    """Return a context in which every new matplotlib figure has the course's look.

    >>> with style():
    ...     matplotlib.rcParams["axes.spines.top"]
    False
    """
    return matplotlib.rc_context(_STYLE)


def subplots(
    rows: int = 1, columns: int = 1, *, width: float = 700, height: float = 300, **options
) -> tuple[Figure, np.ndarray]:
    """Return a figure in the course's look and its axes, as `plt.subplots` does.

    `width` and `height` are the whole figure's size in CSS pixels; `options` go to `Figure.subplots`
    (`sharex`, `squeeze`, `width_ratios` …). Only `show` shows it: pyplot doesn't know this figure.

    >>> fig, (left, right) = subplots(1, 2, width=600)
    >>> float(fig.get_figwidth())
    6.0
    """
    with style():
        size = (width / CSS_PIXELS_PER_INCH, height / CSS_PIXELS_PER_INCH)
        fig = Figure(figsize=size, layout="constrained")
        return fig, fig.subplots(rows, columns, **options)
