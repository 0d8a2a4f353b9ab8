"""Pooling with indices and unpooling, against PyTorch's own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.layers.unpooling import (
    indices_of_positions,
    max_pool,
    max_pool_by_hand,
    max_unpool,
    window_positions,
)

sides = st.integers(1, 13)
kernels = st.integers(1, 4)
corners = settings(max_examples=60, deadline=None)


def maps(height: int, width: int, *, levels: int = 5, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Maps (2, 3, H, W) of few different values, so that most windows hold a tie."""
    return torch.randint(-levels // 2, levels // 2 + 1, (2, 3, height, width)).to(dtype)


def test_an_example_to_do_by_hand():
    values, indices, size = max_pool(torch.tensor([[[[1.0, 7.0, 2.0], [3.0, 0.0, 5.0], [9.0, 8.0, -1.0]]]]))
    assert values.tolist() == [[[[7.0, 5.0], [9.0, -1.0]]]]
    assert indices.tolist() == [[[[1, 5], [6, 8]]]]
    assert max_unpool(values, indices, size).tolist() == [[[[0, 7, 0], [0, 0, 5], [9, 0, -1]]]]


@corners
@given(sides, sides, kernels)
def test_pooling_by_hand_is_the_librarys_ties_and_borders_included(height, width, k):
    features = maps(height, width)
    by_hand, by_library = max_pool_by_hand(features, k), max_pool(features, k)
    expected = F.max_pool2d(features, k, ceil_mode=True, return_indices=True)
    for values, indices, size in (by_hand, by_library):
        assert torch.equal(values, expected[0]) and torch.equal(indices, expected[1])
        assert size == (height, width)


@corners
@given(sides, sides, kernels, st.booleans())
def test_unpooling_is_the_librarys(height, width, k, ceil):
    if not ceil:  # a side shorter than the window gives no map at all
        height, width = height + k, width + k
    features = maps(height, width)
    values, indices = F.max_pool2d(features, k, ceil_mode=ceil, return_indices=True)
    ours = max_unpool(values, indices, (height, width), k)
    assert torch.equal(ours, F.max_unpool2d(values, indices, k, output_size=(height, width)))


@corners
@given(sides, sides, kernels)
def test_each_maximum_is_where_it_was_and_nothing_else(height, width, k):
    features = maps(height, width).abs() + 1
    values, indices, size = max_pool(features, k)
    unpooled = max_unpool(values, indices, size, k)
    kept = unpooled != 0
    assert torch.equal(unpooled[kept], features[kept])
    assert kept.sum() == values.numel()
    assert torch.equal(max_pool(unpooled, k).values, values)
    assert torch.equal(max_pool(unpooled, k).indices, indices)


def test_below_zero_the_zeros_win():
    """Pooling the unpooled map gives its values back only if they are not negative: after a ReLU, as in SegNet."""
    values, indices, size = max_pool(-maps(5, 8).abs() - 1)
    again = max_pool(max_unpool(values, indices, size)).values
    assert torch.equal(again[..., :-1, :], torch.zeros_like(again[..., :-1, :]))  # whole windows
    assert torch.equal(again[..., -1, :], torch.zeros_like(again[..., -1, :]))  # windows of two pixels


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_gradient_is_the_librarys(memory_format):
    features = torch.randn(2, 3, 7, 5, dtype=torch.float64).contiguous(memory_format=memory_format)
    values, indices, size = max_pool(features)
    weight = torch.randn(2, 3, 7, 5, dtype=torch.float64)
    gradients = []
    for unpool in (max_unpool, lambda v, i, s: F.max_unpool2d(v, i, 2, output_size=s)):
        leaf = values.clone().requires_grad_()
        (unpool(leaf, indices, size) * weight).sum().backward()
        gradients.append(leaf.grad)
    assert torch.equal(*gradients)
    assert torch.equal(gradients[0], weight.flatten(2).gather(2, indices.flatten(2)).view_as(values))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_type_of_the_values_stays(dtype):
    values, indices, size = max_pool(torch.randn(1, 2, 5, 6).to(dtype))
    assert max_unpool(values, indices, size).dtype == dtype


@corners
@given(sides, sides, kernels)
def test_positions_in_windows_and_back(height, width, k):
    indices = max_pool(maps(height, width), k).indices
    positions = window_positions(indices, width, k)
    assert positions.dtype == torch.uint8 and positions.max() < k * k
    assert torch.equal(indices_of_positions(positions, width, k), indices)


def test_positions_read_a_window_row_by_row():
    for position, (row, column) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        features = torch.zeros(1, 1, 4, 6)
        features[0, 0, 2 + row, 4 + column] = 1
        assert window_positions(max_pool(features).indices, 6)[0, 0, 1, 2] == position


class TestWhatDoesNotFit:
    values, indices, size = max_pool(torch.randn(2, 3, 5, 8))

    def test_a_size_of_another_pooling(self):
        with pytest.raises(ValueError, match=r"size: a map of 8×5 is pooled by 2×2 windows to 4×3, not to 3×4"):
            max_unpool(self.values, self.indices, (8, 5))

    @pytest.mark.parametrize("size", [(5, 8), (6, 8), (6, 9), (7, 9)])
    def test_sizes_that_are_pooled_to_this_one(self, size):
        values, indices, _ = max_pool(torch.randn(1, 1, 5, 8))
        assert max_unpool(values, indices, size).shape[2:] == size

    def test_indices_of_another_map(self):
        with pytest.raises(ValueError, match=r"one shape, got \(2, 3, 3, 4\) and \(2, 1, 3, 4\)"):
            max_unpool(self.values, self.indices[:, :1], self.size)

    def test_a_map_without_a_batch(self):
        with pytest.raises(ValueError, match=r"two tensors \(N, C, h, w\)"):
            max_unpool(self.values[0], self.indices[0], self.size)

    def test_indices_of_another_type(self):
        with pytest.raises(TypeError, match=r"indices: expected int64, got .*int32.*indices_of_positions"):
            max_unpool(self.values, self.indices.int(), self.size)

    def test_an_index_outside_of_the_map(self):
        with pytest.raises(RuntimeError, match="out of bounds"):
            max_unpool(self.values, self.indices + 40, self.size)
