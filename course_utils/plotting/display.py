"""Show a figure in a notebook with alt text, small enough to be committed."""

from __future__ import annotations

import base64
import html
import io

from IPython.display import display
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from course_utils.plotting.style import CSS_PIXELS_PER_INCH, style

COLUMN_WIDTH = 900
"""The widest picture, in CSS pixels: what fits a notebook's column on a laptop."""

_RESOLUTIONS = (2, 1.5, 1)  # picture pixels per CSS pixel, tried in this order
_SHARP_BUDGET = 90_000  # bytes above which the next lower resolution is tried
_LOSSLESS_BUDGET = 60_000  # bytes above which a picture may become a JPEG
_CARD = "max-width:100%;height:auto;background:#fff;border-radius:6px"


def show(fig: Figure, *, alt: str, width: float | None = None) -> None:
    """Display `fig` as an HTML image with the alternative text `alt`, then close it.

    `width` is the picture's width in CSS pixels (default: the figure's own size; never above `COLUMN_WIDTH`).
    The picture has up to twice that resolution, as far as its size in bytes allows. It brings its own white
    background, so it reads the same in a light and a dark notebook.

    The display is HTML since only `<img alt=…>` keeps alt text in JupyterLab, on GitHub and in exports.

    Raises `TypeError` if `fig` is no figure, `ValueError` if `alt` is blank or `width` is not positive.
    """
    if not isinstance(fig, Figure):
        raise TypeError(f"fig is a {type(fig).__name__}; expected a matplotlib Figure (of an axes: ax.figure).")
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(f"alt is {alt!r}; say in a sentence what there is to see.")
    if width is not None and not width > 0:
        raise ValueError(f"width is {width}; give a positive number of CSS pixels, or leave it out.")
    display(picture_of(fig, alt, width))
    plt.close(fig)


def picture_of(fig: Figure, alt: str, width: float | None = None) -> Picture:
    """What `show` displays, for those who display it themselves."""
    return Picture(*_render(fig, width), " ".join(alt.split()))


class Picture:
    """An encoded picture that shows itself as `<img>` in a notebook and as its alt text anywhere else."""

    def __init__(self, mime: str, data: bytes, width: int, alt: str) -> None:
        self.mime, self.data, self.width, self.alt = mime, data, width, alt

    def __repr__(self) -> str:
        return self.alt

    def _repr_html_(self) -> str:
        source = f"data:{self.mime};base64,{base64.b64encode(self.data).decode()}"
        return f'<img alt="{html.escape(self.alt)}" width="{self.width}" style="{_CARD}" src="{source}">'


def _render(fig: Figure, width: float | None) -> tuple[str, bytes, int]:
    """Return (mime type, bytes, width in CSS pixels) of `fig`, at the highest resolution that stays small."""
    natural = _rasterise(fig, CSS_PIXELS_PER_INCH).width
    target = min(width or natural, COLUMN_WIDTH)
    for resolution in _RESOLUTIONS:
        mime, data = _encode(_rasterise(fig, resolution * CSS_PIXELS_PER_INCH * target / natural))
        if len(data) <= _SHARP_BUDGET:
            break
    return mime, data, round(target)


def _rasterise(fig: Figure, dpi: float) -> Image.Image:
    """Return `fig`, cut to its content plus a small margin, as an opaque RGB picture."""
    buffer = io.BytesIO()
    with style():
        fig.savefig(buffer, format="png", dpi=dpi, bbox_inches="tight", pad_inches=0.1)
    picture = Image.open(buffer).convert("RGBA")
    card = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(card, picture).convert("RGB")


def _encode(picture: Image.Image) -> tuple[str, bytes]:
    """Return (mime type, bytes): PNG, or JPEG where that is the smaller (photographs)."""
    png = io.BytesIO()
    lossless = picture.quantize(256, dither=Image.Dither.NONE) if picture.getcolors(256) else picture
    lossless.save(png, "PNG", optimize=True)
    if png.tell() <= _LOSSLESS_BUDGET:
        return "image/png", png.getvalue()
    jpeg = io.BytesIO()
    picture.save(jpeg, "JPEG", quality=80, subsampling="4:2:0", optimize=True)
    smaller = jpeg.tell() < png.tell()
    return ("image/jpeg", jpeg.getvalue()) if smaller else ("image/png", png.getvalue())
