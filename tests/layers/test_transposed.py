"""Transposed convolution in four ways: each equal to the library's, its size to the formula, its gradients too."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from course_utils.layers import (
    conv_transpose_by_gradient,
    conv_transpose_by_matrix,
    conv_transpose_by_scatter,
    conv_transpose_by_zero_insertion,
    convolution_matrix,
    insert_zeros,
    transposed_size,
)

WAYS = [
    conv_transpose_by_scatter,
    conv_transpose_by_zero_insertion,
    conv_transpose_by_matrix,
    conv_transpose_by_gradient,
]
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__.removeprefix("conv_transpose_"))


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@every_way
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "output_padding"),
    [
        ((2, 2), 2, 0, 0),
        ((4, 4), 2, 0, 0),
        ((4, 4), 2, 1, 0),
        ((3, 3), 2, 1, 1),
        ((16, 16), 8, 4, 0),
        ((1, 1), 1, 0, 0),
        ((1, 1), 3, 0, 2),  # holes that no stamp reaches
        ((3, 5), (2, 3), (1, 2), (1, 0)),
        ((2, 4), (3, 1), (0, 2), (2, 0)),
        ((2, 3), (2, 4), (3, 4), (1, 3)),  # padding beyond the kernel crops the zero-inserted map
    ],
)
def test_equals_the_library(way, kernel, stride, padding, output_padding):
    x, w = random(2, 3, 4, 6), random(3, 5, *kernel, seed=1)
    expected = F.conv_transpose2d(x, w, stride=stride, padding=padding, output_padding=output_padding)
    torch.testing.assert_close(way(x, w, stride, padding, output_padding), expected)


pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))


@settings(max_examples=150, deadline=None)
@given(size=pairs, kernel=pairs, stride=pairs, data=st.data())
def test_all_ways_equal_the_library_for_any_numbers(size, kernel, stride, data):
    padding = data.draw(st.tuples(st.integers(0, 5), st.integers(0, 5)), label="padding")
    output_padding = data.draw(st.tuples(*(st.integers(0, s - 1) for s in stride)), label="output padding")
    shape = tuple(transposed_size(*along) for along in zip(size, kernel, stride, padding, output_padding, strict=True))
    assume(min(shape) >= 1)
    x, w = random(1, 2, *size), random(2, 3, *kernel, seed=1)
    expected = F.conv_transpose2d(x, w, stride=stride, padding=padding, output_padding=output_padding)
    assert expected.shape == (1, 3, *shape)
    for way in WAYS:
        torch.testing.assert_close(way(x, w, stride, padding, output_padding), expected)


def test_the_size_formula_for_every_small_case():
    checked = 0
    for size, kernel, stride, padding in itertools.product(range(1, 6), range(1, 6), range(1, 5), range(4)):
        for output_padding in range(stride):
            expected = transposed_size(size, kernel, stride, padding, output_padding)
            if expected < 1:
                continue
            x, w = torch.zeros(1, 1, size, 1, device="meta"), torch.zeros(1, 1, kernel, 1, device="meta")
            got = F.conv_transpose2d(x, w, stride=(stride, 1), padding=(padding, 0), output_padding=(output_padding, 0))
            assert got.shape[2] == expected, (size, kernel, stride, padding, output_padding)
            checked += 1
    assert checked > 800


@pytest.mark.parametrize(
    ("kernel", "stride", "factor", "more"),
    [(2, 2, 2, 0), (4, 2, 2, 2), (16, 8, 8, 8), (32, 16, 16, 16), (63, 32, 32, 31)],
)
def test_the_sizes_of_the_papers(kernel, stride, factor, more):
    assert all(transposed_size(size, kernel, stride) == factor * size + more for size in range(1, 50))


@every_way
def test_gradients_are_the_library_s(way):
    gradients = []
    for function in (way, F.conv_transpose2d):
        x, w = random(2, 3, 3, 4).requires_grad_(), random(3, 2, 3, 2, seed=1).requires_grad_()
        out = function(x, w, stride=(2, 3), padding=1, output_padding=(1, 2))
        gradients.append(torch.autograd.grad((out * random(*out.shape, seed=2)).sum(), (x, w)))
    torch.testing.assert_close(*gradients)


@every_way
def test_without_gradients_none_come_out(way):
    w = random(3, 2, 3, 2, seed=1).requires_grad_()
    with torch.no_grad():
        assert not way(random(1, 3, 3, 4), w, stride=2).requires_grad
    assert not way(random(1, 3, 3, 4), w.detach(), stride=2).requires_grad


@every_way
def test_the_type_of_numbers_stays(way):
    assert way(torch.ones(1, 1, 2, 3), torch.ones(1, 1, 2, 2), stride=2).dtype == torch.float32


def test_it_is_the_adjoint_of_the_convolution_and_not_its_inverse():
    w = random(4, 3, 3, 5, seed=1)
    small, large = random(1, 4, 4, 6), random(1, 3, 8, 11)
    down = F.conv2d(large, w, stride=2, padding=(1, 2))
    up = conv_transpose_by_scatter(small, w, stride=2, padding=(1, 2), output_padding=(1, 0))
    assert down.shape == small.shape and up.shape == large.shape
    torch.testing.assert_close((down * small).sum(), (large * up).sum())
    there_and_back = conv_transpose_by_scatter(down, w, stride=2, padding=(1, 2), output_padding=(1, 0))
    assert (there_and_back - large).norm() > large.norm()


def test_the_matrix_is_the_convolution():
    w, maps = random(4, 3, 2, 3, seed=1), random(5, 3, 6, 7)
    matrix = convolution_matrix(w, (6, 7), stride=(2, 1), padding=(0, 1))
    result = F.conv2d(maps, w, stride=(2, 1), padding=(0, 1))
    assert matrix.shape == (4 * 3 * 7, 3 * 6 * 7)
    torch.testing.assert_close((maps.flatten(1) @ matrix.T).view_as(result), result)


def test_zeros_are_inserted_between_pixels_only():
    x = torch.arange(1.0, 13).view(1, 1, 3, 4)
    inserted = insert_zeros(x, (3, 2))
    assert inserted.shape == (1, 1, 3 + 2 * 2, 4 + 1 * 3)
    assert torch.equal(inserted[..., ::3, ::2], x) and inserted.sum() == x.sum()
    assert torch.equal(insert_zeros(x, 1), x)


@every_way
@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"x": torch.ones(3, 4, 4)}, ValueError, r"x: expected a tensor \(N, C_in, H, W\).* \(3, 4, 4\)"),
        ({"x": torch.ones(1, 3, 0, 4)}, ValueError, "no empty side"),
        ({"w": torch.ones(3, 2, 3)}, ValueError, r"w: expected a tensor \(C_in, C_out, kh, kw\)"),
        ({"w": torch.ones(2, 3, 2, 2)}, ValueError, r"C_in = 2, but x has 3 channels.* Use w.transpose\(0, 1\)"),
        ({"w": torch.ones(4, 5, 2, 2)}, ValueError, "C_in = 4, but x has 3 channels"),
        ({"stride": 0}, ValueError, "stride: expected 1 or more, got 0"),
        ({"padding": (0, -1)}, ValueError, r"padding: expected 0 or more, got \(0, -1\)"),
        ({"stride": 2.0}, TypeError, "stride: expected a whole number or a tuple of two"),
        ({"stride": (2, 2, 2)}, TypeError, "stride: expected a whole number or a tuple of two"),
        ({"output_padding": 2}, ValueError, r"output_padding: expected less than the stride \(2, 2\), got \(2, 2\)"),
        ({"padding": 5}, ValueError, r"crops the output .* to \(-2, -2\). Use less padding"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named(way, changed, error, message):
    arguments = {"x": torch.ones(1, 3, 4, 4), "w": torch.ones(3, 2, 2, 2), "stride": 2} | changed
    with pytest.raises(error, match=message):
        way(**arguments)
