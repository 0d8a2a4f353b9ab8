"""The U-Net's weight map: equal to brute force for whatever cells, and what the paper's formula says."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import distance_transform_edt

from course_utils.data import load_dataset
from course_utils.weight_maps import _borders, _colors, _groups, nearest_cells, unet_weight_map


def border_pixels(ids, cell):
    """By the definition: pixels of the cell with one of four neighbours, inside the image, that is not of it."""
    height, width = ids.shape
    return [
        (y, x)
        for y, x in np.argwhere(ids == cell).tolist()
        for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1))
        if 0 <= v < height and 0 <= u < width and ids[v, u] != cell
    ]


def brute_force(ids):
    """The two smallest distances to the cells' borders, (2, H, W), from every pixel to every border pixel."""
    grid = np.stack(np.indices(ids.shape), axis=-1)[:, :, None]  # (H, W, 1, 2)
    cells = [cell for cell in np.unique(ids) if cell > 0]
    if len(cells) < 2:
        return np.full((2, *ids.shape), np.inf)
    borders = [np.array(border_pixels(ids, cell)) for cell in cells]
    squares = np.stack([((grid - border) ** 2).sum(-1).min(-1) for border in borders])
    return np.sqrt(np.sort(squares, axis=0)[:2])


def check_against_brute_force(ids):
    near, (d1, d2) = nearest_cells(torch.from_numpy(ids)), brute_force(ids)
    assert np.array_equal(near.d1, d1) and np.array_equal(near.d2, d2)  # to the last bit
    if np.isinf(d1).any():
        assert (near.site1 == -1).all() and (near.site2 == -1).all()
        return
    rows, cols = np.indices(ids.shape)
    for site, distance in ((near.site1, d1), (near.site2, d2)):
        down, right = site // ids.shape[1] - rows, site % ids.shape[1] - cols
        assert np.array_equal(np.sqrt(down * down + right * right), distance)
    first, second = ids.ravel()[near.site1], ids.ravel()[near.site2]
    assert (first > 0).all() and (second > 0).all() and (first != second).all()


SHAPES = st.tuples(st.integers(1, 17), st.integers(1, 17))


@settings(max_examples=150, deadline=None)
@given(arrays(np.int64, SHAPES, elements=st.integers(0, 4)))
def test_any_crumbs(ids):
    """Cells in many pieces, of one pixel, that touch or lie within one another, or are not there."""
    check_against_brute_force(ids)


@settings(max_examples=100, deadline=None)
@given(arrays(np.int64, SHAPES, elements=st.sampled_from([0] * 12 + list(range(1, 40)))))
def test_many_single_pixels(ids):
    check_against_brute_force(ids)


@settings(max_examples=100, deadline=None)
@given(arrays(np.int64, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.integers(0, 9)), st.integers(2, 5))
def test_blocks_that_touch(coarse, zoom):
    check_against_brute_force(coarse.repeat(zoom, 0).repeat(zoom, 1))


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.int64, (13, 22), elements=st.just(0)),
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 21), st.integers(1, 9), st.integers(1, 9)), max_size=12),
    st.sampled_from([np.uint8, np.int16, np.int32, np.int64]),
)
def test_rectangles_over_one_another(ids, boxes, dtype):
    for number, (top, left, height, width) in enumerate(boxes, start=1):
        ids[top : top + height, left : left + width] = 20 * number  # numbers need not be 1, 2, …
    check_against_brute_force(ids.astype(dtype))


def test_the_longest_picture():
    ids = torch.zeros(1, 2**15 - 1, dtype=torch.uint8)
    ids[0, 0], ids[0, 1] = 1, 2
    near = nearest_cells(ids)
    assert near.d1[0, -1] == 2**15 - 3 and near.d2[0, -1] == 2**15 - 2


@settings(max_examples=100, deadline=None)
@given(
    arrays(np.int64, (7, 9), elements=st.sampled_from([0] * 5 + list(range(1, 30)))),
    st.integers(1, 4),
    st.floats(0, 40),
)
def test_within_a_reach_it_is_exact_too(coarse, zoom, reach):
    """Colours are shared by cells that are far apart; where that matters, d2 is too large, and d1 + d2 beyond reach."""
    ids = coarse.repeat(zoom, 0).repeat(zoom, 1)
    near, (d1, d2) = nearest_cells(torch.from_numpy(ids), within=reach), brute_force(ids)
    assert np.array_equal(near.d1, d1) and (near.d2 >= d2).all()
    known = d1 + d2 <= reach
    assert np.array_equal(near.d2[known], d2[known])
    assert ((near.site2 >= 0) == np.isfinite(near.d2)).all()


def test_more_cells_than_can_be_compared_in_pairs():
    ids = np.zeros((99, 110), dtype=np.int64)
    ids[::2, ::2] = np.arange(1, 2751).reshape(50, 55)
    expected = np.where(ids > 0, 0, np.where((np.indices(ids.shape) % 2).all(0), np.sqrt(2), 1))
    near = nearest_cells(torch.from_numpy(ids), within=5.0)
    assert np.array_equal(near.d1, expected)
    second = np.where(ids > 0, 2, expected)  # between two cells, or in the middle of four
    second[:, -1] = np.where(ids[:, -2] > 0, np.sqrt(5), np.sqrt(2))  # one cell on the left, and those above and below
    assert np.array_equal(near.d2, second)


def test_few_groups_serve_many_cells_that_are_far_apart():
    _, _, ids = load_dataset("cells", "val", size=(256, 300), length=1, instances=True)[0]
    ids = ids.numpy()
    sites = np.flatnonzero(_borders(ids))
    names, cell = np.unique(ids.ravel()[sites], return_inverse=True)
    color = _colors(sites, cell, len(names), 300, within=10.0)
    assert len(names) >= 80 and color.max() < 10
    assert (_colors(sites, cell, len(names), 300, within=np.inf) == np.arange(len(names))).all()


def test_generated_cells():
    for _, _, ids in load_dataset("cells", "train", size=(48, 70), length=6, instances=True):
        check_against_brute_force(ids.numpy())


def test_a_hundred_cells_equal_a_transform_for_each():
    _, _, ids = load_dataset("cells", "val", size=(256, 300), length=1, instances=True)[0]
    assert ids.max() >= 80
    near, ids = nearest_cells(ids), ids.numpy()
    inner = np.pad(ids, 1, mode="edge")
    same = [inner[1 + y : 257 + y, 1 + x : 301 + x] == ids for y, x in ((-1, 0), (1, 0), (0, -1), (0, 1))]
    border = ~np.logical_and.reduce(same)
    each = [distance_transform_edt(~(border & (ids == cell))) for cell in range(1, ids.max() + 1)]
    d1, d2 = np.sort(each, axis=0)[:2]
    assert np.array_equal(near.d1, d1) and np.array_equal(near.d2, d2)


def test_one_cell_needs_no_group():
    assert _groups(1).shape == (0, 1)


@pytest.mark.parametrize("cells", [2, 3, 6, 7, 20, 35, 36, 126, 127])
def test_of_any_two_cells_each_is_in_a_group_without_the_other(cells):
    groups = _groups(cells)
    for one, other in itertools.permutations(range(cells), 2):
        assert (groups[:, one] & ~groups[:, other]).any()
    assert math.comb(len(groups) - 1, (len(groups) - 1) // 2) < cells  # no group too many


# The formula


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.int64, SHAPES, elements=st.integers(0, 3)),
    st.floats(0, 50),
    st.floats(0.1, 50),
    st.tuples(st.floats(0, 9), st.floats(0, 9)),
)
def test_the_formula_at_every_pixel(ids, w0, sigma, class_weights):
    d1, d2 = brute_force(ids)
    expected = np.array(class_weights)[(ids > 0).astype(int)] + w0 * np.exp(-((d1 + d2) ** 2) / (2 * sigma**2))
    found = unet_weight_map(torch.from_numpy(ids), w0, sigma, class_weights)
    assert found.dtype == torch.float32 and found.shape == ids.shape and type(found) is torch.Tensor
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6, atol=1e-12 * w0 + 1e-30)


def test_the_papers_numbers_are_the_default():
    ids = torch.tensor([[3, 3, 0, 0, 0, 8, 8]])
    gap = torch.tensor([4, 4, 4, 4, 4, 4, 4.0])  # d1 + d2 is the same all the way from border to border …
    gap[0] = gap[-1] = 1 + 5  # … and grows within the cells
    expected = torch.tensor([7 / 8, 7 / 8, 7 / 6, 7 / 6, 7 / 6, 7 / 8, 7 / 8]) + 10 * torch.exp(-(gap**2) / 50)
    assert torch.allclose(unet_weight_map(ids), expected[None])


@settings(max_examples=60, deadline=None)
@given(arrays(np.int64, SHAPES, elements=st.integers(0, 2)))
def test_balanced_classes_weigh_the_same(ids):
    weights = unet_weight_map(torch.from_numpy(ids), w0=0).double()
    cells = torch.from_numpy(ids) > 0
    assert abs(weights.mean() - 1) < 1e-6
    if cells.any() and not cells.all():
        assert abs(weights[cells].sum() - weights[~cells].sum()) < 1e-4
    else:
        assert (weights == 1).all()


@pytest.mark.parametrize("ids", [[[0, 0, 0], [0, 0, 0]], [[0, 5, 0], [5, 5, 0]], [[1, 1, 1], [1, 1, 1]], [[7]]])
def test_fewer_than_two_cells_have_no_border_term(ids):
    ids = torch.tensor(ids)
    assert torch.equal(unet_weight_map(ids, class_weights=(2, 3)), torch.where(ids > 0, 3.0, 2.0))


def test_two_pieces_of_one_cell_are_no_two_cells():
    ids = torch.tensor([[1, 1, 0, 1, 1, 0, 0, 0, 0, 2]])
    two = unet_weight_map(ids, class_weights=(1, 1))
    three = unet_weight_map(torch.tensor([[1, 1, 0, 3, 3, 0, 0, 0, 0, 2]]), class_weights=(1, 1))
    assert two[0, 2] < 4 and three[0, 2] > 10


@given(st.permutations(range(1, 6)))
@settings(max_examples=20, deadline=None)
def test_the_cells_numbers_do_not_matter(numbers):
    ids = torch.from_numpy(np.arange(6).repeat(3).reshape(3, 6) % 6)
    renamed = torch.tensor([0, *numbers])[ids]
    assert torch.equal(unet_weight_map(ids), unet_weight_map(renamed))


def test_mirrored_and_turned_cells_give_a_mirrored_and_turned_map():
    _, _, ids = load_dataset("cells", "train", size=(40, 64), length=1, instances=True)[0]
    weights = unet_weight_map(ids)
    assert torch.equal(unet_weight_map(ids.flip(0)), weights.flip(0))
    assert torch.equal(unet_weight_map(ids.T), weights.T)


def test_the_line_between_touching_cells_weighs_most():
    _, mask, ids = load_dataset("cells", "train", length=1, instances=True)[0]
    weights = unet_weight_map(ids * mask)
    line = (ids > 0) & (mask == 0)
    assert weights[line].min() > 8 and weights[mask == 1].median() < 2


# Arguments


@pytest.mark.parametrize(
    ("instances", "options", "error", "message"),
    [
        (torch.zeros(4, 6), {}, TypeError, r"instances: expected an integer tensor .* type float32. Number a mask's"),
        (torch.zeros(4, 6, dtype=torch.bool), {}, TypeError, "type bool. Number a mask's pieces with"),
        (np.zeros((4, 6), int), {}, TypeError, "got a NumPy array"),
        (torch.zeros(1, 4, 6, dtype=torch.int64), {}, ValueError, r"shape \(1, 4, 6\).* Give one picture at a time"),
        (torch.zeros(0, 6, dtype=torch.int64), {}, ValueError, r"shape \(0, 6\)"),
        (torch.zeros(1, 2**15, dtype=torch.uint8), {}, ValueError, "at most 32767 on a side, .* Cut it in tiles"),
        (torch.tensor([[0, -1]]), {}, ValueError, "got -1. Set what belongs to no cell to 0"),
        (torch.tensor([[0, 1]]), {"w0": -1}, ValueError, "w0 is -1; expected 0 or more"),
        (torch.tensor([[0, 1]]), {"w0": float("nan")}, ValueError, "w0 is nan"),
        (torch.tensor([[0, 1]]), {"sigma": 0}, ValueError, "sigma is 0; expected a number of pixels, more than 0"),
        (torch.tensor([[0, 1]]), {"class_weights": (1,)}, ValueError, r"class_weights is \(1,\); expected two numbers"),
        (torch.tensor([[0, 1]]), {"class_weights": (1, -2)}, ValueError, "class_weights is"),
    ],
)
def test_bad_arguments(instances, options, error, message):
    with pytest.raises(error, match=message):
        unet_weight_map(instances, **options)
