"""Bilinear kernels and the transposed convolution that starts as bilinear interpolation."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.layers.bilinear import BilinearDeconv, bilinear_kernel


def interpolate(maps, factor):
    return F.interpolate(maps, scale_factor=factor, mode="bilinear", align_corners=False)


def test_known_rows():
    """By hand: the tents (1, 3, 3, 1) / 4 and (1, 2, 1) / 2 of stride 2."""
    even, odd = torch.tensor([1.0, 3, 3, 1]) / 4, torch.tensor([1.0, 2, 1]) / 2
    assert torch.equal(bilinear_kernel(2), torch.outer(even, even))
    assert torch.equal(bilinear_kernel(2, size=3), torch.outer(odd, odd))
    assert bilinear_kernel(1, size=1).tolist() == [[1.0]]


@pytest.mark.parametrize("stride", [1, 2, 3, 5, 8, 16, 32])
@pytest.mark.parametrize("shorter", [0, 1])
def test_a_partition_of_unity_and_a_symmetric_tent(stride, shorter):
    """Each output pixel of the interior gets weights that sum to 1, so a constant stays a constant."""
    kernel = bilinear_kernel(stride, 2 * stride - shorter)
    padded = F.pad(kernel, (0, shorter, 0, shorter))  # (2s, 2s): s² phases of 4 weights
    phases = padded.view(2, stride, 2, stride).sum((0, 2))
    assert torch.allclose(phases, torch.ones(stride, stride), atol=1e-6)
    assert torch.allclose(kernel, kernel.flip(0), atol=1e-6) and torch.allclose(kernel, kernel.T, atol=1e-6)
    assert (kernel > 0).all()


@settings(max_examples=25, deadline=None)
@given(
    stride=st.sampled_from([1, 2, 3, 4, 5, 7, 8, 16]),
    height=st.integers(3, 7),
    width=st.integers(3, 7),
    channels=st.integers(1, 3),
)
def test_interpolates_like_the_library_in_the_interior(stride, height, width, channels):
    even = stride % 2 == 0
    size, padding = (2 * stride, stride // 2) if even else (2 * stride - 1, (stride - 1) // 2)
    maps = torch.randn(2, channels, height, width, dtype=torch.float64)
    ours = BilinearDeconv(channels, stride, kernel_size=size, padding=padding).double()(maps)
    theirs = interpolate(maps, stride)
    assert ours.shape == theirs.shape == (2, channels, height * stride, width * stride)
    edge = slice(stride // 2, -(stride // 2) or None)
    torch.testing.assert_close(ours[..., edge, edge], theirs[..., edge, edge], atol=1e-6, rtol=0)


@pytest.mark.parametrize(("stride", "corner"), [(2, 0.5625), (4, 0.390625), (32, (0.5 + 0.5 / 32) ** 2)])
def test_the_corner_is_darker_than_the_interior(stride, corner):
    ones = torch.ones(1, 1, 3, 4)
    upsampled = BilinearDeconv(1, stride, padding=stride // 2)(ones)
    assert upsampled[0, 0, 0, 0].item() == pytest.approx(corner)
    assert upsampled[0, 0, stride, stride].item() == pytest.approx(1)


@pytest.mark.parametrize(("size", "stride", "extra"), [(64, 32, 32), (63, 32, 31), (32, 16, 16), (16, 8, 8), (4, 2, 2)])
def test_output_sizes_of_the_paper(size, stride, extra):
    """stride·H + stride without padding; one less for AlexNet's 63."""
    upsampled = BilinearDeconv(1, stride, kernel_size=size)(torch.zeros(1, 1, 3, 5))
    assert upsampled.shape == (1, 1, 3 * stride + extra, 5 * stride + extra)


def test_channels_don_t_mix_and_all_pairs_have_weights():
    deconv = BilinearDeconv(3, 2)
    assert deconv.weight.shape == (3, 3, 4, 4)
    one_channel = torch.zeros(1, 3, 4, 5)
    one_channel[:, 1] = torch.randn(4, 5)
    assert deconv(one_channel)[:, [0, 2]].abs().max() == 0
    assert deconv(one_channel)[:, 1].abs().max() > 0


def test_fixed_or_learned():
    maps = torch.randn(1, 2, 3, 4)
    fixed, learned = BilinearDeconv(2, 2), BilinearDeconv(2, 2, learned=True)
    assert torch.equal(fixed(maps), learned(maps))
    assert not list(fixed.parameters()) and not fixed.state_dict() and len(list(fixed.buffers())) == 1
    assert list(learned.state_dict()) == ["weight"] and sum(p.numel() for p in learned.parameters()) == 2 * 2 * 4 * 4
    learned(maps).square().sum().backward()
    assert (learned.weight.grad != 0).all(), "the kernels between different channels learn too"


@pytest.mark.parametrize(("stride", "size", "message"), [(0, None, "stride.*1 or more.*0"), (4, 9, "8 or 7.*got 9"),
                                                        (4, 6, "8 or 7.*got 6")])  # fmt: skip
def test_errors_name_what_is_expected(stride, size, message):
    with pytest.raises(ValueError, match=message):
        bilinear_kernel(stride, size)


def test_another_kernel_size_is_refused_by_the_layer_too():
    with pytest.raises(ValueError, match="64 or 63"):
        BilinearDeconv(2, 32, kernel_size=62)
