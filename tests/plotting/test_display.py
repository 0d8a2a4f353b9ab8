"""`show`: alt text that survives, pictures that read on any theme, the same bytes every time, few of them."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from course_utils.plotting import display, draw_image, show, subplots
from tools.notebook_document import image_texts


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """What a notebook would save of every picture shown: {mime type: content}."""
    bundles: list[dict[str, str]] = []
    monkeypatch.setattr(display, "display", lambda picture: bundles.append(DisplayFormatter().format(picture)[0]))
    return bundles


def picture_of(bundle: dict[str, str]) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(re.search(r"base64,([^\"]+)", bundle["text/html"])[1])))


def width_of(bundle: dict[str, str]) -> int:
    return int(re.search(r'width="(\d+)"', bundle["text/html"])[1])


def noise(height: int = 200, width: int = 300) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_alt_text_is_in_the_html_and_in_the_plain_text(shown: list) -> None:
    fig, _ = subplots()
    show(fig, alt='Scores > 5 & "cats"\n   on <mats>.')
    alt = 'Scores > 5 & "cats" on <mats>.'
    assert set(shown[0]) == {"text/html", "text/plain"}
    assert shown[0]["text/plain"] == alt
    assert image_texts(shown[0]["text/html"]) == [alt]


def test_outside_a_notebook_only_the_alt_text_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    show(subplots()[0], alt="An empty pair of axes.")
    assert capsys.readouterr().out == "An empty pair of axes.\n"


@pytest.mark.parametrize("alt", ["", "  \n", None, 3])
def test_blank_alt_text_is_refused(alt: object) -> None:
    with pytest.raises(ValueError, match="say in a sentence what there is to see"):
        show(subplots()[0], alt=alt)


def test_alt_text_cannot_be_forgotten() -> None:
    with pytest.raises(TypeError, match="alt"):
        show(subplots()[0])


def test_other_things_than_figures_are_refused() -> None:
    with pytest.raises(TypeError, match="fig is a Axes; expected a matplotlib Figure"):
        show(subplots()[1], alt="An empty pair of axes.")


@pytest.mark.parametrize("width", [0, -5, float("nan")])
def test_a_width_that_is_not_positive_is_refused(width: float) -> None:
    with pytest.raises(ValueError, match="positive number of CSS pixels"):
        show(subplots()[0], alt="An empty pair of axes.", width=width)


def test_a_shown_figure_of_pyplot_is_closed(shown: list) -> None:
    before = plt.get_fignums()
    fig, _ = plt.subplots()
    show(fig, alt="An empty pair of axes.")
    assert plt.get_fignums() == before


def test_the_same_figure_gives_the_same_bytes(shown: list) -> None:
    for _ in range(2):
        fig, (left, right) = subplots(1, 2)
        left.plot([1, 3, 2])
        draw_image(right, noise())
        show(fig, alt="A line, and noise.")
    assert shown[0] == shown[1]


@pytest.mark.parametrize(("asked", "expected"), [(None, 900), (2000, 900), (350, 350)])
def test_width_is_as_asked_but_never_above_a_column(asked: float | None, expected: int, shown: list) -> None:
    show(subplots(width=1400, height=300)[0], alt="An empty pair of axes.", width=asked)
    assert width_of(shown[0]) == expected
    assert picture_of(shown[0]).width == pytest.approx(2 * expected, abs=4)  # sharp on a fine screen


def test_a_photograph_stays_small_and_keeps_its_size_on_the_page(shown: list) -> None:
    fig, axes = subplots(1, 3, width=900, height=220)
    for ax in axes:
        draw_image(ax, noise())
    show(fig, alt="Three pieces of noise, the worst picture to compress.")
    picture = picture_of(shown[0])
    assert picture.format == "JPEG"
    assert len(shown[0]["text/html"]) < 250_000
    assert width_of(shown[0]) == pytest.approx(900, abs=20)


def test_a_line_plot_is_lossless(shown: list) -> None:
    fig, ax = subplots()
    ax.plot([1, 3, 2])
    show(fig, alt="A line that rises and falls.")
    assert picture_of(shown[0]).format == "PNG"


@pytest.mark.parametrize(("alpha", "expected"), [(0, 255), (0.6, 102), (1, 0)])
def test_a_figure_lies_on_a_white_card(alpha: float, expected: int, shown: list) -> None:
    fig = Figure(facecolor=(0, 0, 0, alpha))
    fig.subplots().set_facecolor("none")
    show(fig, alt="A pair of axes on a black ground.")
    picture = picture_of(shown[0])
    assert picture.mode in ("RGB", "P") and "transparency" not in picture.info
    assert picture.convert("L").getpixel((0, 0)) == pytest.approx(expected, abs=1)


def test_what_lies_outside_the_axes_is_in_the_picture(shown: list) -> None:
    for title in ("", "a title\nof two lines"):
        fig = Figure(figsize=(3, 2))
        fig.subplots().set_title(title, y=1.4)
        show(fig, alt="An empty pair of axes.")
    assert picture_of(shown[1]).height > picture_of(shown[0]).height
