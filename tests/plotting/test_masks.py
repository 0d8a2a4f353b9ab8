"""Label maps: colours from the palette, outlines exactly between labels, void hatched, names for what is there."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch

from course_utils.plotting import draw_mask, draw_overlay, label_regions, subplots
from course_utils.plotting.masks import VOID_COLOR, boundary_segments, void_path

VOID = 255
CLASSES = ["sky", "road", "car"]
PALETTE = np.array([[86, 180, 233], [120, 120, 120], [230, 159, 0]], np.uint8)
MASKS = arrays(np.int64, array_shapes(min_dims=2, max_dims=2, max_side=7), elements=st.sampled_from([0, 1, 2, VOID]))


def unit_sides(segments: np.ndarray) -> list[tuple[float, ...]]:
    """Cut segments into sides of single pixels, each (x0, y0, x1, y1)."""
    sides = []
    for (x0, y0), (x1, y1) in segments:
        for step in range(int(x1 - x0 + y1 - y0)):
            if x0 == x1:
                sides.append((x0, y0 + step, x0, y0 + step + 1))
            else:
                sides.append((x0 + step, y0, x0 + step + 1, y0))
    return sides


@given(MASKS)
def test_outlines_lie_exactly_where_neighbours_differ(mask: np.ndarray) -> None:
    height, width = mask.shape
    expected = []
    for row in range(height):
        for column in range(width):
            if column + 1 < width and mask[row, column] != mask[row, column + 1]:
                expected.append((column + 0.5, row - 0.5, column + 0.5, row + 0.5))
            if row + 1 < height and mask[row, column] != mask[row + 1, column]:
                expected.append((column - 0.5, row + 0.5, column + 0.5, row + 0.5))
    assert sorted(unit_sides(boundary_segments(mask))) == sorted(expected)


@given(MASKS)
def test_straight_outlines_are_one_segment(mask: np.ndarray) -> None:
    ends = {(tuple(end), start[0] == end[0]) for start, end in boundary_segments(mask)}
    starts = {(tuple(start), start[0] == end[0]) for start, end in boundary_segments(mask)}
    assert not ends & starts  # no segment goes on where another of its direction ends


@given(MASKS)
def test_the_hatched_path_covers_void_and_nothing_else(mask: np.ndarray) -> None:
    rows, columns = np.indices(mask.shape)
    centres = np.stack([columns.ravel(), rows.ravel()], axis=1)
    path = void_path(mask, VOID)
    inside = path.contains_points(centres) if len(path.vertices) else np.zeros(len(centres), bool)
    np.testing.assert_array_equal(inside.reshape(mask.shape), mask == VOID)


@given(MASKS)
def test_every_pixel_has_the_colour_of_its_class(mask: np.ndarray) -> None:
    _, ax = subplots()
    draw_mask(ax, torch.from_numpy(mask), PALETTE, CLASSES)
    drawn = ax.get_images()[0].get_array()
    for index, color in enumerate(PALETTE):
        assert (drawn[mask == index] == color).all()
    assert (drawn[mask == VOID] == VOID_COLOR).all()


@given(MASKS)
def test_the_legend_names_what_occurs(mask: np.ndarray) -> None:
    _, ax = subplots()
    draw_mask(ax, mask, PALETTE, CLASSES)
    named = [text.get_text() for text in ax.get_legend().get_texts()]
    assert named == [CLASSES[i] for i in range(3) if (mask == i).any()] + ["void"] * bool((mask == VOID).any())


def blank(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure that its axes fill, so that pixels can be looked up."""
    fig = Figure(figsize=(width, height), dpi=100)
    return fig, fig.add_axes([0, 0, 1, 1])


def rendered(fig: Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].astype(int)


def test_void_is_striped_and_classes_are_plain_on_the_page() -> None:
    mask = np.zeros((4, 6), int)
    mask[:, 2:4] = VOID
    mask[:, 4:] = 1
    fig, ax = blank(6, 4)  # 100 × 100 page pixels per pixel
    draw_mask(ax, mask, PALETTE, CLASSES, legend=False)
    page = rendered(fig)
    assert (page[10:390, 10:190] == PALETTE[0]).all()
    assert (page[10:390, 410:590] == PALETTE[1]).all()
    void = page[10:390, 210:390].mean(axis=2)
    assert 0.1 < (void < 150).mean() < 0.9  # dark stripes on light ground
    assert page[10:390, 198:203].min(axis=1).max() < 90  # a dark outline where class and void touch


def test_touching_classes_of_one_grey_are_told_apart_by_a_line() -> None:
    same_grey = np.array([[100, 100, 100], [100, 100, 100], [0, 0, 0]], np.uint8)
    fig, ax = blank(4, 3)
    draw_mask(ax, np.repeat([[0, 0, 1, 1]], 3, axis=0), same_grey, CLASSES, legend=False)
    page = rendered(fig)
    assert page[:, 198:203].min(axis=(1, 2)).max() < 90
    assert (page[10:290, 10:190] == 100).all()


def test_crowded_outlines_are_thin() -> None:
    widths = []
    for mask in (np.zeros((40, 60), int), np.indices((40, 60)).sum(axis=0) % 2):
        mask[0, 0] = 2
        _, ax = subplots()
        draw_mask(ax, mask, PALETTE, CLASSES)
        widths.append(next(c for c in ax.collections if isinstance(c, LineCollection)).get_linewidth()[0])
    assert widths[0] > 3 * widths[1] > 0


@given(MASKS, st.floats(0, 1))
def test_an_overlay_blends_class_colours_and_leaves_void_bare(mask: np.ndarray, alpha: float) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (*mask.shape, 3), dtype=np.uint8)
    _, ax = subplots()
    draw_overlay(ax, photo, mask, PALETTE, CLASSES, "overlay", alpha=alpha)
    drawn = np.asarray(ax.get_images()[0].get_array(), dtype=float)
    known = mask != VOID
    expected = (1 - alpha) * photo[known] + alpha * PALETTE[mask[known]]
    assert np.abs(drawn[known] - expected).max(initial=0) <= 0.5 + 1e-9
    assert (drawn[~known] == photo[~known]).all()
    assert any(isinstance(patch, PathPatch) and patch.get_hatch() for patch in ax.patches) == (~known).any()
    assert ax.get_title() == "overlay"


def test_names_are_written_where_there_is_room() -> None:
    mask = np.zeros((30, 60), int)
    mask[10:, :30] = 1
    mask[20, 40] = 2  # one pixel: no room
    mask[:, 59] = VOID
    _, ax = subplots()
    assert label_regions(ax, mask, CLASSES) == ["sky", "road"]
    for text, index in zip(ax.texts, [0, 1], strict=True):
        column, row = text.get_position()
        assert mask[row, column] == index
        assert text.get_text() == CLASSES[index]


def test_a_name_stands_in_the_middle_of_its_region() -> None:
    _, ax = subplots()
    label_regions(ax, np.zeros((21, 61), int), CLASSES)
    assert ax.texts[0].get_position() == (30, 10)


@pytest.mark.parametrize(
    ("mask", "palette", "message"),
    [
        (np.zeros((2, 3, 3), int), PALETTE, r"mask is int64 of shape \(2, 3, 3\); expected integers \(H, W\)"),
        (np.zeros((2, 3)), PALETTE, "mask is float64"),
        (np.full((2, 3), 3), PALETTE, r"mask has labels \[3\]; expected 0…2 or 255"),
        (np.full((2, 3), -1), PALETTE, r"mask has labels \[-1\]"),
        (np.zeros((2, 3), int), PALETTE[:2], r"palette has shape \(2, 3\) for 3 classes; expected \(3, 3\)"),
    ],
)
def test_what_is_no_label_map_is_named(mask: np.ndarray, palette: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw_mask(subplots()[1], mask, palette, CLASSES)


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"mask is \(4, 5\) \(H, W\) but image is \(5, 4\)"):
        draw_overlay(subplots()[1], np.zeros((5, 4, 3)), np.zeros((4, 5), int), PALETTE, CLASSES)


def test_another_void_label_may_be_named() -> None:
    _, ax = subplots()
    draw_mask(ax, np.array([[0, -1]]), PALETTE, CLASSES, ignore_index=-1)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["sky", "void"]
