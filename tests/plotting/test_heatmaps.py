"""A score map lies where it belongs on its image, and its colour bar says what it measures."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from course_utils.plotting import draw_heatmap, subplots

PHOTO = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
SCORES = torch.arange(6.0).reshape(2, 3)


def test_a_map_covers_its_image() -> None:
    fig, ax = subplots()
    draw_heatmap(ax, SCORES, PHOTO, label="score (logit)")
    photo, heat = ax.get_images()
    assert tuple(photo.get_extent()) == tuple(heat.get_extent()) == (-0.5, 29.5, 19.5, -0.5)
    np.testing.assert_array_equal(heat.get_array(), SCORES)
    assert heat.get_clim() == (0, 5)
    assert heat.get_interpolation() == "bilinear"
    assert fig.axes[0].child_axes[0].get_ylabel() == "score (logit)"


def test_the_photo_under_a_map_is_grey() -> None:
    _, ax = subplots()
    draw_heatmap(ax, SCORES, PHOTO, label="score (logit)")
    under = ax.get_images()[0]
    assert under.get_array().shape == (20, 30)
    assert under.cmap.name == "gray"
    assert under.get_clim() == (0, 255)
    np.testing.assert_allclose(under.get_array(), PHOTO @ [0.299, 0.587, 0.114])


def test_a_map_may_cover_a_part_of_the_image() -> None:
    _, ax = subplots()
    draw_heatmap(ax, SCORES, PHOTO, label="score (logit)", box=(4, 6, 16, 24), limits=(-1, 9))
    heat = ax.get_images()[1]
    assert tuple(heat.get_extent()) == (5.5, 23.5, 15.5, 3.5)
    assert heat.get_clim() == (-1, 9)
    assert (ax.get_xlim(), ax.get_ylim()) == ((-0.5, 29.5), (19.5, -0.5))  # all of the image is in sight


def test_a_map_alone_shows_its_cells_opaque() -> None:
    _, ax = subplots()
    draw_heatmap(ax, SCORES, label="score (logit)", interpolation="nearest")
    (heat,) = ax.get_images()
    assert tuple(heat.get_extent()) == (-0.5, 2.5, 1.5, -0.5)
    assert heat.get_alpha() == 1
    assert heat.get_interpolation() == "nearest"


def test_scores_that_are_not_finite_do_not_stretch_the_colours() -> None:
    _, ax = subplots()
    draw_heatmap(ax, np.array([[1.0, np.nan], [-np.inf, 4.0]]), label="score (logit)")
    assert ax.get_images()[0].get_clim() == (1, 4)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (torch.zeros(10, 4, 5), r"scores has shape \(10, 4, 5\); expected \(h, w\), one class: scores\[index\]"),
        (np.full((2, 3), np.nan), "scores has no finite value among its 6"),
    ],
)
def test_what_is_no_score_map_is_named(scores: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw_heatmap(subplots()[1], scores, label="score (logit)")
