"""Images on axes: every layout the course uses, every mistake named, boxes where they belong."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.patches import Rectangle
from PIL import Image

from course_utils.plotting import as_rgb, draw_box, draw_image, images, show_images, subplots

SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))
PHOTO = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


@given(SIZES, st.integers(0, 2**32 - 1))
def test_every_layout_gives_the_same_picture(size: tuple[int, int], seed: int) -> None:
    photo = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    channels_first = torch.from_numpy(photo).permute(2, 0, 1)
    same = [
        Image.fromarray(photo),
        photo / 255,
        (photo / 255).astype(np.float32),
        channels_first,
        channels_first / 255,
        (channels_first / 255).requires_grad_(),
    ]
    for image in same:
        np.testing.assert_array_equal(as_rgb(image), photo)


@given(SIZES, st.integers(0, 2**32 - 1))
def test_one_channel_is_grey(size: tuple[int, int], seed: int) -> None:
    grey = np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)
    expected = np.stack([grey] * 3, axis=-1)
    for image in (grey, grey[..., None], torch.from_numpy(grey), torch.from_numpy(grey)[None]):
        np.testing.assert_array_equal(as_rgb(image), expected)


def test_floats_are_rounded_to_the_nearest_grey() -> None:
    assert as_rgb(np.array([[0.4, 0.6, 254.4, 254.6]]) / 255)[0, :, 0].tolist() == [0, 1, 254, 255]


def test_a_bool_mask_is_black_and_white() -> None:
    assert as_rgb(np.array([[True, False]])).tolist() == [[[255, 255, 255], [0, 0, 0]]]


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.zeros(20, 30, 3), r"image is a tensor of shape \(20, 30, 3\); expected \(3, H, W\)"),
        (np.zeros((3, 20, 30)), r"image is an array of shape \(3, 20, 30\); expected \(H, W, 3\)"),
        (torch.zeros(1, 3, 20, 30), r"shape \(1, 3, 20, 30\)"),
        (np.zeros((20, 30, 4)), r"shape \(20, 30, 4\)"),
        (np.zeros(5), r"shape \(5,\)"),
        (np.full((4, 5), 1.01), "values from 1.01 to 1.01; expected"),
        (np.full((4, 5), -0.5), "values from -0.5 to"),
        (np.array([[0.5, np.nan]]), "values from nan to nan"),
        (np.zeros((4, 5), np.int64), "image has type int64; expected uint8"),
    ],
)
def test_what_is_no_image_is_named(image: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        as_rgb(image)


def test_an_image_is_drawn_pixel_for_pixel() -> None:
    _, ax = subplots()
    draw_image(ax, PHOTO, "a title")
    drawn = ax.get_images()[0]
    np.testing.assert_array_equal(drawn.get_array(), PHOTO)
    assert tuple(drawn.get_extent()) == (-0.5, 29.5, 19.5, -0.5)
    assert drawn.get_interpolation() == "nearest"
    assert ax.get_title() == "a title"
    assert not ax.axison


@pytest.fixture
def grids(monkeypatch: pytest.MonkeyPatch) -> list:
    """Every figure that `show_images` shows."""
    figures: list = []
    monkeypatch.setattr(images, "show", lambda fig, *, alt: figures.append((fig, alt)))
    return figures


@pytest.mark.parametrize(("count", "columns", "grid"), [(1, None, 1), (5, None, 5), (7, None, 10), (7, 3, 9)])
def test_a_grid_holds_every_image_in_order(count: int, columns: int | None, grid: int, grids: list) -> None:
    pictures = [np.full((4 + n, 6, 3), n, np.uint8) for n in range(count)]
    show_images(pictures, [f"image {n}" for n in range(count)], alt="Grey squares.", columns=columns)
    (fig, alt), axes = grids[0], grids[0][0].axes
    assert alt == "Grey squares."
    assert len(axes) == grid
    assert [ax.get_title() for ax in axes[:count]] == [f"image {n}" for n in range(count)]
    for picture, ax in zip(pictures, axes, strict=False):
        np.testing.assert_array_equal(ax.get_images()[0].get_array(), picture)
    assert not any(ax.axison for ax in axes)
    assert fig.get_figwidth() == 9


def test_a_grid_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="images is empty"):
        show_images([], alt="Nothing.")
    with pytest.raises(ValueError, match="titles has 1 entries for 2 images"):
        show_images([PHOTO, PHOTO], ["one"], alt="Two photos.")


@pytest.mark.parametrize(
    ("box", "left_top_width_height"),
    [
        ((2, 3, 12, 9), (2.5, 1.5, 6, 10)),
        ((-4, -6, 8, 40), (-6.5, -4.5, 46, 12)),
        ((-math.inf, 3, 12, math.inf), (2.5, -0.5, 27, 12)),
        ((-math.inf, -math.inf, math.inf, math.inf), (-0.5, -0.5, 30, 20)),
    ],
    ids=["inside", "over the edge", "two infinite sides", "everything"],
)
def test_a_box_runs_along_pixel_borders(box: tuple, left_top_width_height: tuple) -> None:
    _, ax = subplots()
    draw_image(ax, PHOTO)
    limits = ax.get_xlim(), ax.get_ylim()
    draw_box(ax, box, "window")
    frame = next(patch for patch in ax.patches if isinstance(patch, Rectangle))
    assert (frame.get_x(), frame.get_y(), frame.get_width(), frame.get_height()) == left_top_width_height
    assert ax.texts[0].get_text() == "window"
    assert (ax.get_xlim(), ax.get_ylim()) == limits


@pytest.mark.parametrize("box", [(5, 0, 5, 3), (0, 4, 3, 2), (0, math.nan, 3, 2)])
def test_a_box_without_area_is_refused(box: tuple) -> None:
    _, ax = subplots()
    with pytest.raises(ValueError, match="expected \\(top, left, bottom, right\\), top < bottom"):
        draw_box(ax, box)
