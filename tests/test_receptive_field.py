"""Receptive fields: the theory against published numbers, and against the gradient, unit by unit."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from course_utils.fc_to_conv import convolutionalize
from course_utils.models import load_classifier
from course_utils.receptive_field import effective_area, effective_receptive_field, receptive_field
from course_utils.receptive_field_rules import AxisField, hull, window

# size, stride and centre of unit 0 (Araujo et al., 2019, and the recurrence by hand).
VGG16 = {
    "features.4": (6, 2, 0.5), "features.9": (16, 4, 1.5), "features.16": (44, 8, 3.5), "features.23": (100, 16, 7.5),
    "features.28": (196, 16, 7.5), "features.30": (212, 32, 15.5), "classifier.0": (404, 32, 111.5),
    "classifier.6": (404, 32, 111.5),
}  # fmt: skip

INF = float("inf")


def test_vgg16():
    model = convolutionalize(load_classifier("vgg16", pretrained=False))
    for layer, (size, stride, center) in VGG16.items():
        field = receptive_field(model, layer, (384, 416))
        assert (field.size, field.stride, field.center) == ((size, size), (stride, stride), (center, center)), layer
        assert field.start == tuple(2 * [center - (size - 1) / 2])
    assert field.output_size == (6, 7)


def test_other_networks():
    def sizes(name, layer, input_size=(224, 224)):
        field = receptive_field(load_classifier(name, pretrained=False), layer, input_size)
        return field.size[0], field.stride[0], field.output_size

    assert sizes("alexnet", "features.0", (227, 259)) == (11, 4, (56, 64))
    assert sizes("alexnet", "features.12") == (195, 32, (6, 6))
    assert sizes("resnet18", "layer4") == (435, 32, (7, 7))
    assert sizes("resnet50", "layer4") == (427, 32, (7, 7))
    assert sizes("googlenet", "inception5b") == (379, 32, (7, 7))  # torchvision's, with 3×3 in the 5×5 branch
    assert sizes("efficientnet_lite0", "conv_stem") == (3, 2, (112, 112))
    fcn_alexnet = convolutionalize(load_classifier("alexnet", pretrained=False))
    assert receptive_field(fcn_alexnet, "", (224, 224)).size == (355, 355)


def test_global_pooling_and_fully_connected_layers_see_everything():
    resnet = load_classifier("resnet18", pretrained=False)
    for layer in ("avgpool", "fc", ""):
        field = receptive_field(resnet, layer, (64, 96))
        assert field.size == (float("inf"), float("inf")) and field.output_size == (1, 1)
        assert field.box(0, 0) == (float("-inf"), float("-inf"), float("inf"), float("inf"))

    class ImagePooling(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3)

        def forward(self, x):
            return self.conv(x) * x.mean((2, 3), keepdim=True)

    assert receptive_field(ImagePooling(), "conv", (9, 9)).size == (3, 3)
    assert receptive_field(ImagePooling(), "", (9, 9)).size == (float("inf"), float("inf"))


def with_all_paths_open(model):
    """The same geometry, equal positive weights, averages for maxima: every pixel in the field gets a gradient."""
    for name, module in list(model.named_modules()):
        for weight in module.parameters(recurse=False):
            nn.init.constant_(weight, 0 if weight.ndim == 1 else 1 / weight[0].numel())
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
        if isinstance(module, nn.MaxPool2d):
            pool = nn.AvgPool2d(module.kernel_size, module.stride, module.padding, ceil_mode=module.ceil_mode)
            parent, _, own = name.rpartition(".")
            setattr(model.get_submodule(parent), own, pool)
    return model.eval()


def seen_box(model, layer, size, position, channels=3):
    """(top, left, bottom, right) of the pixels that have a gradient."""
    field = effective_receptive_field(model, layer, torch.ones(channels, *size), position)
    rows, columns = (field.sum(1) > 0).nonzero(), (field.sum(0) > 0).nonzero()
    return rows[0].item(), columns[0].item(), rows[-1].item() + 1, columns[-1].item() + 1


def clipped(box, size):
    top, left, bottom, right = box
    return max(top, 0), max(left, 0), min(bottom, size[0]), min(right, size[1])


def dilated_net():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, padding=2, dilation=2), nn.ReLU(),
        nn.Conv2d(4, 4, (3, 5), padding=(4, 8), dilation=(4, 4)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "layer", "size", "positions"),
    [
        ("vgg16", "features.16", (96, 120), [(0, 0), (5, 8), (11, 14)]),
        ("vgg16", "features.30", (256, 288), [(0, 8), (3, 4)]),
        ("alexnet", "features.5", (131, 163), [(0, 0), (3, 4)]),
        ("alexnet", "features.12", (227, 259), [(2, 0), (3, 4)]),
        ("resnet18", "layer2", (160, 192), [(0, 0), (10, 12), (19, 3)]),
        ("resnet18", "layer4.0.relu", (160, 192), [(2, 5)]),
        ("googlenet", "inception3b", (128, 160), [(0, 0), (8, 9)]),
        ("dilated", "4", (64, 80), [(0, 0), (16, 19), (31, 39)]),
    ],
)
def test_gradient_fills_the_theoretical_box(name, layer, size, positions):
    net = dilated_net() if name == "dilated" else load_classifier(name, pretrained=False)
    model = with_all_paths_open(net)
    field = receptive_field(model, layer, size)
    for position in positions:
        assert seen_box(model, layer, size, position) == clipped(field.box(*position), size), position


def test_inner_box_is_the_box_itself_not_its_clip():
    model = with_all_paths_open(dilated_net())
    field = receptive_field(model, "", (64, 80))
    assert field.size == (28, 44) and field.stride == (2, 2)
    assert seen_box(model, "", (64, 80), (16, 20)) == field.box(16, 20)


class Lambda(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Skip(nn.Module):
    """Three paths of different reach: concatenated, summed, multiplied."""

    def __init__(self):
        super().__init__()
        self.branch, self.mix = nn.Conv2d(1, 1, (5, 3), padding=(2, 1)), nn.Conv2d(2, 1, 1)

    def forward(self, x):
        return self.mix(torch.cat([x, F.relu(self.branch(x))], 1)) + x * torch.sigmoid(x)


def pairs(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def operations(draw):
    """One random operation on a map of one channel, of another geometry along each axis."""
    kernel, stride = draw(pairs(1, 4)), draw(pairs(1, 3))
    kinds = ["conv", "transposed", "pool", "pad", "nearest", "bilinear", "corners", "skip", "crop"]
    kind = draw(st.sampled_from(kinds))
    if kind == "conv":
        return nn.Conv2d(1, 1, kernel, stride, draw(pairs(0, 3)), draw(pairs(1, 3)))
    if kind == "transposed":
        return nn.ConvTranspose2d(1, 1, kernel, stride, dilation=draw(pairs(1, 2)))
    if kind == "pool":
        padding = tuple(min(p, k // 2) for p, k in zip(draw(pairs(0, 2)), kernel, strict=True))
        return nn.AvgPool2d(kernel, stride, padding, ceil_mode=draw(st.booleans()))
    if kind == "pad":
        return nn.ZeroPad2d((*draw(pairs(0, 3)), *draw(pairs(0, 3))))
    if kind == "crop":
        top, left = draw(pairs(0, 3))
        return Lambda(lambda x: x[:, :, top:-1, left::2])
    if kind == "skip":
        return Skip()
    options = {"mode": "nearest"} if kind == "nearest" else {"mode": "bilinear", "align_corners": kind == "corners"}
    scale = draw(st.sampled_from([(1, 2), (2, 1), (3, 2)]))
    return Lambda(lambda x: F.interpolate(x, [x.shape[2] * scale[0], x.shape[3] * scale[1]], **options))


@settings(max_examples=200, deadline=None)
@given(chain=st.lists(operations(), min_size=1, max_size=4), data=st.data())
def test_any_chain_of_operations(chain, data):
    size = (90, 104)
    model = with_all_paths_open(nn.Sequential(*chain)).double()
    field = receptive_field(model, "", (1, *size))
    assume(field.output_size[0] * field.output_size[1] < 50_000)  # larger maps prove nothing more, slowly
    image = torch.ones(1, *size, dtype=torch.float64)
    assert field.output_size == tuple(model(image[None]).shape[2:])
    position = tuple(data.draw(st.integers(0, length - 1)) for length in field.output_size)

    seen = effective_receptive_field(model, "", image, position)
    boxes = [axis(unit) for axis, unit in zip(field.axes, position, strict=True)]
    # Far from every border no tap reads padding. (A box may be empty: transposed convolutions can leave holes.)
    sides = zip(boxes, size, strict=True)
    inside = all(40 <= first <= last < side - 40 for (first, last), side in sides)
    for axis, (first, last) in enumerate(boxes):
        pixels = seen.sum(1 - axis).nonzero().flatten().tolist()
        assert all(first <= pixel <= last for pixel in pixels)
        assert last - first + 1 <= field.size[axis]
        if inside:
            assert (pixels[0], pixels[-1]) == (first, last)
    assert field.box(*position)[:2] == tuple(field.axes[axis](unit)[0] for axis, unit in enumerate(position))
    assert field.start == field.box(0, 0)[:2]
    assert field.center == pytest.approx([sum(axis(0)) / 2 for axis in field.axes], nan_ok=True)


def test_stride_between_neighbours_after_upsampling():
    up = nn.Sequential(nn.Conv2d(1, 1, 3), nn.ConvTranspose2d(1, 1, 4, stride=(2, 4)))
    field = receptive_field(up, "", (12, 20))
    assert field.stride == (0.5, 0.25) and field.size == (4, 3)
    per_period = [field.axes[0](unit) for unit in (4, 5, 6)]
    assert per_period == [(1, 4), (1, 4), (2, 5)]


def test_fcn_32s_sees_436_pixels_centred_on_its_own():
    # conv1 with padding 100, the rest of VGG16, and the 64 × 64 stride-32 transposed convolution, cropped by 19.
    vgg = convolutionalize(load_classifier("vgg16", pretrained=False))
    features = nn.Sequential(*vgg.get_submodule("features"))
    features[0].padding = (100, 100)
    head = [vgg.get_submodule(f"classifier.{i}") for i in (0, 3)]
    upsample = nn.ConvTranspose2d(4096, 1, 64, stride=32)
    fcn = nn.Sequential(features, *head, upsample, Lambda(lambda x: x[:, :, 19:, 19:]))
    field = receptive_field(fcn, "", (224, 256))
    assert field.size == (436, 436) and field.stride == (1, 1)
    centers = [sum(field.axes[0](row)) / 2 - row for row in range(64, 96)]
    assert abs(sum(centers) / len(centers)) < 1e-9


@pytest.mark.parametrize(
    ("dims", "size"),
    [(1, (3, 5)), (2, (INF, 5)), (-2, (INF, 5)), (3, (3, INF)), (-1, (3, INF)), ((2, 3), (INF, INF)), ([], (INF, INF))],
)
def test_a_mean_sees_all_along_its_own_axes_only(dims, size):
    net = nn.Sequential(nn.Conv2d(2, 4, (3, 5)), Lambda(lambda x: x.mean(dims, keepdim=True)))
    assert receptive_field(net, "", (2, 9, 12)).size == size


@pytest.mark.parametrize(
    ("cut", "start", "stride"),
    [
        (lambda x: x[:, :, 2:, 3:], (1, 1), (1, 1)),
        (lambda x: x[:, :, -4:, -5:], (4, 5), (1, 1)),  # of 9 × 12
        (lambda x: x[:, :, -99:, :5], (-1, -2), (1, 1)),
        (lambda x: x[:, :, 1::2, -7::3], (0, 3), (2, 3)),
        (lambda x: torch.ops.aten.slice(x, 2, None, None, 2), (-1, -2), (2, 1)),
        (lambda x: torch.ops.aten.slice(x, -1, -4, None), (-1, 6), (1, 1)),
        (lambda x: x[:1, 1:3], (-1, -2), (1, 1)),  # images and channels
    ],
)
def test_a_crop_moves_the_field_to_where_it_starts(cut, start, stride):
    net = nn.Sequential(nn.Conv2d(2, 4, (3, 5), padding=(1, 2)), Lambda(cut))
    field = receptive_field(net, "", (2, 9, 12))
    assert (field.start, field.stride, field.size) == (start, stride, (3, 5))


ACTIVATIONS = [
    nn.ReLU(), nn.ReLU(inplace=True), nn.ReLU6(), nn.ReLU6(inplace=True), nn.LeakyReLU(inplace=True), nn.ELU(),
    nn.PReLU(), nn.GELU(), nn.SiLU(inplace=True), nn.Mish(), nn.Hardswish(), nn.Hardsigmoid(), nn.Softplus(),
    nn.Hardtanh(inplace=True), nn.LogSigmoid(), nn.Sigmoid(), nn.Tanh(), nn.Softmax(1), nn.LogSoftmax(1),
    nn.Dropout(), nn.Dropout2d(), nn.Identity(),
]  # fmt: skip


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_activations_change_nothing(activation):
    field = receptive_field(nn.Sequential(nn.Conv2d(3, 4, (3, 5), padding=1), activation), "", (9, 12))
    assert (field.size, field.start, field.output_size) == ((3, 5), (-1, -1), (9, 10))


def test_layers_that_are_missing_or_not_reached():
    model = load_classifier("alexnet", pretrained=False)
    with pytest.raises(ValueError, match="no layer 'conv9'; AlexNet has: features, features.0"):
        receptive_field(model, "conv9", (64, 64))
    with pytest.raises(ValueError, match="no layer"):
        effective_receptive_field(model, "conv9", torch.zeros(3, 64, 64), (0, 0))
    model.unused = nn.Conv2d(3, 3, 1)
    with pytest.raises(ValueError, match="'unused' did not run"):
        receptive_field(model, "unused", (64, 64))
    with pytest.raises(ValueError, match="'unused' did not run"):
        effective_receptive_field(model, "unused", torch.zeros(3, 64, 64), (0, 0))


def test_operations_without_a_rule_are_named():
    flip = nn.Sequential(nn.Conv2d(1, 1, 3), Lambda(lambda x: x.flip(2)))
    with pytest.raises(ValueError, match="no rule for aten.flip"):
        receptive_field(flip, "", (9, 9))
    with pytest.raises(ValueError, match="maps of different strides, 2 and 1"):
        receptive_field(Lambda(lambda x: torch.cat([x[:, :, ::2, ::2], x[:, :, :6, :6]], 1)), "", (3, 12, 12))
    with pytest.raises(ValueError, match="gives a tuple"):
        receptive_field(Lambda(lambda x: (x, x)), "", (3, 9, 9))


def test_models_are_left_as_they_were():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    receptive_field(model, "1", (9, 9))
    effective_receptive_field(model, "1", torch.rand(3, 9, 9), (2, 3))
    assert model.training and all(part.training for part in model)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not any(part._forward_hooks for part in model.modules())
    assert model[0].weight.grad is None


@pytest.mark.parametrize("position", [(7, 0), (0, 9), (-1, 0), (0, -1)])
def test_positions_outside_the_map(position):
    with pytest.raises(IndexError, match="outside the 7×9 map of layer '0'"):
        effective_receptive_field(nn.Sequential(nn.Conv2d(3, 4, 3)), "0", torch.rand(3, 9, 11), position)


def test_effective_field_is_the_gradient():
    torch.manual_seed(0)
    conv = nn.Conv2d(2, 3, 3, bias=False)
    field = effective_receptive_field(conv, "", torch.rand(2, 6, 7), (1, 2))
    expected = torch.zeros(6, 7)
    expected[1:4, 2:5] = conv.weight.sum(0).abs().sum(0)
    torch.testing.assert_close(field, expected)
    with pytest.raises(ValueError, match="does not give a map"):
        effective_receptive_field(nn.Sequential(conv, nn.Flatten()), "1", torch.rand(2, 6, 7), (0, 0))


def test_effective_field_of_a_layer_overwritten_by_the_next():
    net = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.ReLU(inplace=True))
    nn.init.constant_(net[0].weight, -1.0)  # ReLU would leave no gradient
    assert effective_receptive_field(net, "0", torch.ones(1, 3, 4), (1, 1)).sum() == 1


def test_effective_area_counts_what_matters():
    field = torch.zeros(5, 6)
    field[1:3, 2:5] = 1.0
    field[0, 0] = 0.0454
    assert effective_area(field) == 6
    field[0, 0] = 0.0456
    assert effective_area(field * 7) == 7


def test_axis_field_by_hand():
    axis = window(AxisField(), kernel=3, stride=2, padding=1, dilation=1)
    assert [axis(unit) for unit in (-1, 0, 1)] == [(-3, -1), (-1, 1), (1, 3)]
    assert hull([(2, 5), (-1, 3)]) == (-1, 5) and hull([]) == (float("inf"), float("-inf"))
