"""Positions and crops, against receptive fields, PyTorch's sizes, and gradients through the networks themselves."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import gcd

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from course_utils.alignment import NETWORKS, Grid, Layer, align, crops, network, with_padding
from course_utils.receptive_field import receptive_field

SIZE = 1532  # what the U-Net takes (12 more than a multiple of 16), and more than any receptive field


@pytest.mark.parametrize(
    ("name", "padding", "expected"),
    [
        ("fcn32s", "paper", {"image": 19}),
        ("fcn16s", "paper", {"pool4": 5, "image": 27}),
        ("fcn8s", "paper", {"pool4": 5, "pool3": 9, "image": 31}),
        ("fcn_alexnet", "paper", {"image": 18}),
        ("unet", "paper", {"conv4": 4, "conv3": 16, "conv2": 40, "conv1": 88, "image": 92}),
        ("unet", "same", {"conv4": 0, "conv3": 0, "conv2": 0, "conv1": 0, "image": 0}),
        ("fcn32s", "same", {"image": 0}),
        ("fcn8s", "same", {"pool4": 0, "pool3": 0, "image": 0}),
    ],
)
def test_the_crops_of_the_papers(name, padding, expected):
    assert crops(network(name, padding), 572 if name == "unet" else 512) == expected


@pytest.mark.parametrize("size", [1, 37, 500, 501])
@pytest.mark.parametrize("name", [name for name in NETWORKS if name.startswith("fcn")])
def test_padding_100_leaves_a_score_for_every_pixel_of_any_image(name, size):
    score = align(network(name), size)[-1]
    assert (score.grid.size, score.grid.stride, score.grid.start) == (size, 1, 0)
    assert score.is_exact and score.offset < 0, "it is the map that is cropped"


def test_the_units_of_vgg16_lie_where_its_receptive_fields_have_their_middle():
    places = {row.layer.name: row.grid.start for row in align(with_padding(network("fcn32s"), 1), 224)}
    expected = {"pool1": 0.5, "pool2": 1.5, "pool3": 3.5, "pool4": 7.5, "pool5": 15.5, "fc6": 111.5}
    assert {name: places[name] for name in expected} == expected
    assert next(row for row in align(network("fcn32s"), 500) if row.layer.name == "fc6").grid.start == 12.5


def test_an_even_kernel_on_alexnet_is_half_a_pixel_off():
    """This is why it has 63 and not 64 as the others have."""
    layers = [replace(layer, kernel=64) if layer.kind == "deconv" else layer for layer in network("fcn_alexnet")]
    score = align(layers, 500)[-1]
    assert (score.offset, score.crop, score.is_exact, score.miss) == (Fraction(-37, 2), None, False, Fraction(1, 2))
    with pytest.raises(ValueError, match="'score' is 1/2 pixels off 'image': no crop of whole units aligns them"):
        crops(layers, 500)


@pytest.mark.parametrize("kernel", [2, 6])
def test_the_miss_is_the_way_to_the_nearest_crop(kernel):
    """Three units to a pixel, a shift of kernel − 1 halves of them: a sixth of a pixel off."""
    layers = [Layer("up", "deconv", 1, 3), Layer("shift", "conv", kernel), Layer("down", "conv", 1, 3)]
    row = align([*layers, Layer("sum", "join", source="image")], 9)[-1]
    assert (row.offset, row.crop, row.miss) == (Fraction(kernel - 1, 6), None, Fraction(1, 6))


@pytest.mark.parametrize("padding", [0, 7, 99, 100, 101])
def test_skips_do_not_mind_the_first_padding_but_the_image_does(padding):
    found = crops(with_padding(network("fcn8s"), padding), 500)
    assert found == {"pool4": 5, "pool3": 9, "image": 31 if padding == 100 else abs(padding - 69)}


# --- against receptive fields and PyTorch's sizes -------------------------------------------------


@st.composite
def chain(draw) -> list[Layer]:
    """Down with convolutions and pools, then up with transposed convolutions, as networks do.

    The stamps leave no gaps: a unit in a gap sees nothing, so it has no middle.
    """
    layers = []
    for kind in draw(st.lists(st.sampled_from(["conv", "pool"]), max_size=3)):
        kernel, stride = draw(st.integers(1, 5)), draw(st.integers(1, 3))
        dilation = draw(st.integers(1, 3)) if kind == "conv" else 1
        padding = draw(st.integers(0, 4 if kind == "conv" else kernel // 2))
        ceil_mode = kind == "pool" and draw(st.booleans())
        layers.append(Layer(f"layer{len(layers)}", kind, kernel, stride, padding, dilation, ceil_mode=ceil_mode))
    for kind in draw(st.lists(st.sampled_from(["conv", "deconv"]), max_size=3)) or ["conv"]:
        stride, dilation = draw(st.integers(1, 3)) if kind == "deconv" else 1, draw(st.integers(1, 3))
        assume(gcd(stride, dilation) == 1)
        kernel, padding = draw(st.integers(stride, 5)), draw(st.integers(0, 4))
        extra = draw(st.integers(0, max(stride, dilation) - 1)) if kind == "deconv" else 0
        layers.append(Layer(f"layer{len(layers)}", kind, kernel, stride, padding, dilation, extra))
    return layers


def module(layer: Layer) -> nn.Module:
    if layer.kind == "pool":
        return nn.MaxPool2d(layer.kernel, layer.stride, layer.padding, ceil_mode=layer.ceil_mode)
    if layer.kind == "conv":
        return nn.Conv2d(1, 1, layer.kernel, layer.stride, layer.padding, layer.dilation)
    return nn.ConvTranspose2d(
        1, 1, layer.kernel, layer.stride, layer.padding, layer.output_padding, dilation=layer.dilation
    )


@settings(deadline=None, max_examples=150)
@given(chain(), st.integers(1, 40))
def test_random_chains_agree_with_receptive_fields_and_sizes(layers, size):
    """After a transposed convolution a unit sees more on one side or on the other: over a period the mean is exact."""
    net = nn.Sequential(*map(module, layers))
    try:
        grid = align(layers, size)[-1].grid
    except ValueError:
        with pytest.raises(RuntimeError):
            net(torch.zeros(1, 1, size, size))
        return
    field = receptive_field(net, "", (1, size, size))
    assert field.output_size == (grid.size, grid.size)
    axis = field.axes[0]
    period = len(axis.pattern)
    assert Fraction(axis.advance, period) == grid.stride
    middles = [Fraction(sum(axis(unit))) / 2 for unit in range(period)]
    assert sum(middles) / period == grid.start + grid.stride * Fraction(period - 1, 2)


# --- against gradients ----------------------------------------------------------------------------


def run(layers: list[Layer], image: Tensor, path: str) -> Tensor:
    """A network along one axis; at the joins only `path` ("": none, the deepest) goes on, the others count nothing.

    Kernels are symmetric, so that what a unit reacts to lies around its place.
    """
    rows = align(layers, image.shape[-1])
    maps, x = {"image": image}, image
    for layer, row in zip(layers, rows, strict=True):
        sizes = {"stride": layer.stride, "padding": layer.padding}
        if layer.kind == "conv":
            x = F.conv1d(x, torch.ones(1, 1, layer.kernel, dtype=x.dtype) / layer.kernel, **sizes)
        elif layer.kind == "pool":
            x = F.avg_pool1d(x, layer.kernel, ceil_mode=layer.ceil_mode, **sizes)
        elif layer.kind == "deconv":
            middle = (layer.kernel - 1) / 2
            slope = layer.stride if layer.kernel >= 2 * layer.stride - 1 else float("inf")
            kernel = 1 - (torch.arange(layer.kernel, dtype=x.dtype) - middle).abs() / slope
            x = F.conv_transpose1d(x, kernel[None, None], **sizes)
        else:
            skip = maps[layer.source][..., max(int(row.offset), 0) :]
            x = x[..., max(-int(row.offset), 0) :]
            common = min(skip.shape[-1], x.shape[-1])
            chosen = float(layer.source == path)
            if layer.source != "image":
                x = chosen * skip[..., :common] + (1 - chosen) * x[..., :common]
            else:
                x = x[..., :common]
        assert x.shape[-1] == row.grid.size, layer.name
        maps[layer.name] = x
    return x


PATHS = [
    (name, path)
    for name in NETWORKS
    for path in ["", *(layer.source for layer in network(name) if layer.kind == "join" and layer.source != "image")]
]


@pytest.mark.parametrize(("name", "path"), PATHS)
def test_a_score_reacts_around_its_own_pixel_whichever_way_it_came(name, path):
    """The centre of gravity of a score's gradient is the pixel that the score is for."""
    layers = network(name)
    image = torch.zeros(1, 1, SIZE, dtype=torch.float64, requires_grad=True)
    scores = run(layers, image, path)[0, 0]
    middle = align(layers, SIZE)[-1].grid
    places = []
    units = range(middle.size // 2 - 16, middle.size // 2 + 16)
    for unit in units:
        (gradient,) = torch.autograd.grad(scores[unit], image, retain_graph=True)
        weights = gradient[0, 0]
        places.append(float((weights * torch.arange(SIZE)).sum() / weights.sum()) - float(middle.position(unit)))
    if name == "unet" and path != "conv1":
        # Its up-convolutions stamp kernels of two: the units of a block (at most 16) are right on average.
        assert sum(places) / 32 == pytest.approx(0, abs=1e-9)
    else:
        assert places == pytest.approx([0] * 32, abs=1e-9)


# --- grids ----------------------------------------------------------------------------------------

fractions = st.fractions(-50, 50, max_denominator=8)


@given(st.integers(1, 30), st.fractions(Fraction(1, 8), 40, max_denominator=8), fractions, fractions)
def test_units_over_a_pixel_are_the_nearest(size, stride, start, pixel):
    grid = Grid(size, stride, start)
    near = [unit for unit in range(size) if abs(grid.position(unit) - pixel) <= max(stride, 1) / 2]
    assert list(grid.units_over(pixel)) == near


@given(st.integers(1, 20), st.integers(1, 5), st.integers(1, 4), st.integers(0, 3), st.integers(1, 3))
def test_a_transposed_convolution_undoes_the_places_of_its_convolution(size, kernel, stride, padding, dilation):
    """Unit 0 goes back to where it was, and the spacing too."""
    assume(dilation * (kernel - 1) + 1 <= size + 2 * padding)
    there = Grid(size).conv(kernel, stride, padding, dilation)
    reach = dilation * (kernel - 1) + 1
    assume((there.size - 1) * stride + reach > 2 * padding)
    back = there.deconv(kernel, stride, padding, dilation)
    assert (back.start, back.stride) == (0, 1)


def test_a_crop_moves_the_start():
    assert Grid(9, Fraction(4), Fraction(-3, 2)).crop(2, 5) == Grid(5, Fraction(4), Fraction(13, 2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Grid(6).conv(7), r"a window of 7 units does not fit in a map of 6 with padding 0"),
        (lambda: Grid(3).conv(3, dilation=4, padding=2), r"a window of 9 units .* 3 \+ 2·2 = 7. Enlarge"),
        (lambda: Grid(2).deconv(2, padding=2), "padding 2 cuts off all 3 units"),
        (lambda: Grid(5).crop(3, 3), "a map of 5 units has no 3 units from 3 on"),
        (lambda: Grid(5).crop(-1, 3), "a map of 5 units has no 3 units from -1 on"),
        (lambda: Grid(5).offset_of(Grid(5, Fraction(2))), "strides 1 and 2"),
        (lambda: Layer("a", "linear"), "layer 'a' has the kind 'linear'; expected one of conv, pool, deconv, join"),
        (lambda: Layer("a", "conv", kernel=0), "layer 'a': kernel is 0; expected a whole number, 1 or more"),
        (lambda: Layer("a", "conv", padding=0.5), "padding is 0.5"),
        (lambda: Layer("a", "deconv", 3, 2, output_padding=2), "output_padding is 2; expected less than .* 2"),
        (lambda: align([Layer("a", "join", source="b")], 5), "layer 'a': no layer 'b' before it; there are image"),
        (lambda: align([Layer("a", "conv", 9)], 5), "layer 'a': a window of 9"),
        (
            lambda: align([Layer("a", "conv", 2, 2), Layer("b", "join", source="image")], 8),
            "layer 'b': maps of strides 1 and 2 do not lie on each other",
        ),
        (
            lambda: align([Layer("a", "conv", 3), Layer("b", "conv", 3, padding=9), Layer("c", "join", source="a")], 3),
            None,
        ),
        (lambda: network("fcn8"), r"Unknown network 'fcn8'. Did you mean"),
        (lambda: network("fcn8s", "valid"), "Unknown padding 'valid'"),
        (lambda: network("fcn_alexnet", "same"), "network 'fcn_alexnet' has no form with padding 'same'"),
    ],
)
def test_what_does_not_fit_is_told(make, message):
    if message is None:
        assert make()[-1].crop == 8
        return
    with pytest.raises(ValueError, match=message):
        make()
