"""Atrous convolution in two ways equals PyTorch's dilation; the weights that lie on the map are counted right."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from course_utils.layers.atrous import (
    atrous_conv_by_interleaving,
    atrous_conv_by_zero_stuffing,
    valid_weights,
    zero_stuffed_kernel,
)

BOTH = pytest.mark.parametrize("conv", [atrous_conv_by_zero_stuffing, atrous_conv_by_interleaving])


@BOTH
@settings(max_examples=150, deadline=None)
@given(
    size=st.tuples(st.integers(1, 17), st.integers(1, 17)), kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    rate=st.integers(1, 6), padding=st.integers(0, 7), batch=st.integers(1, 2), seed=st.integers(0, 99),
)  # fmt: skip
def test_equal_to_dilation(conv, size, kernel, rate, padding, batch, seed):
    assume(all(side + 2 * padding > rate * (taps - 1) for side, taps in zip(size, kernel, strict=True)))
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(batch, 3, *size, generator=generator, dtype=torch.float64)
    weight = torch.randn(2, 3, *kernel, generator=generator, dtype=torch.float64)
    expected = F.conv2d(images, weight, dilation=rate, padding=padding)
    torch.testing.assert_close(conv(images, weight, rate, padding), expected, atol=1e-12, rtol=0)


@BOTH
def test_gradients_are_those_of_dilation(conv):
    images, weight = torch.randn(2, 3, 9, 14).double(), torch.randn(4, 3, 3, 2).double()
    images.requires_grad_(), weight.requires_grad_()
    slope = torch.randn(2, 4, 9, 17).double()
    expected = torch.autograd.grad(F.conv2d(images, weight, dilation=3, padding=3), (images, weight), slope)
    got = torch.autograd.grad(conv(images, weight, 3, 3), (images, weight), slope)
    torch.testing.assert_close(got, expected)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 7))
def test_the_stuffed_kernel_holds_the_weights_and_zeros(height, width, rate):
    weight = torch.rand(2, 3, height, width) + 1
    stuffed = zero_stuffed_kernel(weight, rate)
    assert stuffed.shape == (2, 3, height + (height - 1) * (rate - 1), width + (width - 1) * (rate - 1))
    assert torch.equal(stuffed[:, :, ::rate, ::rate], weight)
    assert stuffed.count_nonzero() == weight.numel()


def test_at_rate_1_nothing_changes():
    weight = torch.randn(2, 3, 3, 5)
    assert torch.equal(zero_stuffed_kernel(weight, 1), weight)


# Weights on the map


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 25), st.sampled_from([1, 3, 5]))
def test_valid_weights_are_what_a_convolution_of_ones_sums(height, width, rate, kernel_size):
    ones, weight = torch.ones(1, 1, height, width), torch.ones(1, 1, kernel_size, kernel_size)
    summed = F.conv2d(ones, weight, dilation=rate, padding=rate * (kernel_size // 2))[0, 0]
    assert torch.equal(valid_weights((height, width), rate, kernel_size), summed.long())


def test_at_rates_from_the_side_on_only_the_centre_is_left():
    assert (valid_weights((9, 13), 13) == 1).all()
    assert (valid_weights((9, 9), 8) > 1).any()
    assert (valid_weights((9, 13), 12) > 1).any(), "the longer side decides"


def test_the_papers_65_by_65_map():
    """Shares measured by brute force on a 65×65 map: all nine weights on it, and the centre alone."""
    share = {rate: valid_weights((65, 65), rate).flatten() for rate in (6, 12, 18, 24, 36, 48, 64, 65)}
    all_nine = [(share[rate] == 9).double().mean().item() for rate in (6, 12, 18, 24, 36)]
    alone = [(share[rate] == 1).double().mean().item() for rate in (36, 48, 64, 65)]
    assert all_nine == [(65 - 2 * rate) ** 2 / 65**2 for rate in (6, 12, 18, 24)] + [0]
    assert alone == pytest.approx([7**2 / 65**2, 31**2 / 65**2, 63**2 / 65**2, 1])


# Errors


@BOTH
@pytest.mark.parametrize(("rate", "padding", "words"), [
    (0, 0, "rate: expected 1 or more, got 0"),
    (1, -1, "padding: expected 0 or more, got -1. Crop"),
    (3, 0, "rate: at rate 3 the kernel covers 7×7 pixels, the padded image has 6×9"),
])  # fmt: skip
def test_impossible_settings(conv, rate, padding, words):
    with pytest.raises(ValueError, match=words):
        conv(torch.zeros(1, 2, 6, 9), torch.zeros(1, 2, 3, 3), rate, padding)


def test_other_errors():
    with pytest.raises(ValueError, match=r"weight: expected a kernel \(O, C, k, l\), got shape \(3, 3\)"):
        zero_stuffed_kernel(torch.zeros(3, 3), 2)
    with pytest.raises(ValueError, match="kernel_size: expected an odd number"):
        valid_weights((5, 5), 1, kernel_size=2)
    with pytest.raises(ValueError, match="rate: expected 1 or more, got 0"):
        valid_weights((5, 5), 0)
