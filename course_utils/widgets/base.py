"""What all explorers share: how they reach the browser, and what a reader sees where no browser code runs."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import matplotlib
import numpy as np
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from course_utils.plotting import OKABE_ITO, as_rgb

COLORMAP = "viridis"
_FOLDER = Path(__file__).parent
_POSTER_DPI = 110


def read_assets(*names: str) -> str:
    """The text of several files of this folder, one after the other.

    Browser code is joined here rather than imported there: an import would need a server, or a network.
    """
    return "\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in names)


def encode(array: Any, dtype: str) -> str:
    """The numbers of an array, row by row, as base64 text: not every notebook carries bytes to its widgets.

    >>> encode([1, 2, 3], "uint8")
    'AQID'
    """
    numbers = np.ascontiguousarray(array, dtype=np.dtype(dtype).newbyteorder("<"))
    return base64.b64encode(numbers.tobytes()).decode()


def check_choice(name: str, value: Any, choices: Sequence[Any]) -> Any:
    """Return `value`; raise TraitError, which names the choices, unless it is one of them."""
    if value not in choices:
        raise traitlets.TraitError(f"{name} is {value!r}; expected one of {', '.join(map(repr, choices))}.")
    return value


def check_index(name: str, value: int, count: int) -> int:
    """Return `value`; raise IndexError unless it is one of `count` rows or columns."""
    if not 0 <= value < count:
        raise IndexError(f"{name} is {value}; expected 0 to {count - 1}.")
    return int(value)


def mark_cell(ax: Axes, row: int, col: int) -> None:
    """Frame one cell of a map that `ax` holds."""
    for color, width in (("white", 4), (OKABE_ITO["vermillion"], 2)):
        ax.add_patch(Rectangle((col - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=color, linewidth=width))


def spotlight(image: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """Return a (H, W, 3) uint8 image as floats in [0, 1], darkened outside the box (top, left, bottom, right)."""
    top, left, bottom, right = box
    light = np.full((*image.shape[:2], 1), 0.5)
    light[top:bottom, left:right] = 1
    return image / 255 * light


class BaseExplorer(anywidget.AnyWidget):
    """What every explorer is: drawn in the browser from traits alone, so that it never waits for the kernel.

    Where no browser code runs (a repository's page, a PDF), `poster` and `describe` stand in for it.
    """

    _css = read_assets("explorer.css")
    # ipywidgets 7 has such a method, and IPython would call it in place of `_repr_mimebundle_`.
    _ipython_display_ = None

    def poster(self) -> Figure:
        """A still picture of the explorer as it is now."""
        raise NotImplementedError

    def describe(self) -> str:
        """What there is to see now, in a sentence or two."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.describe()

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_(**kwargs)
        text = self.describe()
        data["text/plain"] = text
        data["image/png"] = base64.b64encode(_poster_png(self.poster())).decode()
        return data, metadata | {"image/png": {"alt": text}}


class Explorer(BaseExplorer):
    """An image (see `course_utils.plotting.as_rgb`) and a map beside it, each pointing into the other."""

    _image = traitlets.Unicode().tag(sync=True)
    _height = traitlets.Int().tag(sync=True)
    _width = traitlets.Int().tag(sync=True)
    _colormap = traitlets.Unicode().tag(sync=True)

    def __init__(self, image: Any, **traits: Any) -> None:
        self.image = as_rgb(image)
        height, width = self.image.shape[:2]
        colors = matplotlib.colormaps[COLORMAP](np.arange(256), bytes=True)[:, :3]
        super().__init__(
            _image=f"data:image/png;base64,{base64.b64encode(_png(Image.fromarray(self.image))).decode()}",
            _height=height,
            _width=width,
            _colormap=encode(colors, "uint8"),
            **traits,
        )


def _poster_png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_POSTER_DPI, facecolor="white")
    picture = Image.open(buffer).convert("RGB")
    # 256 colours: a third of the bytes, in a notebook that is to stay small.
    return _png(picture.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE))


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
