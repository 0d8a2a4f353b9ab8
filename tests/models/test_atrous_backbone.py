"""A stride that is taken out leaves the features where they were: the dense map, subsampled, is the strided one."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torchvision.ops import SqueezeExcitation

from course_utils.models import load_classifier
from course_utils.models.atrous_backbone import BACKBONE_CHANNELS, atrous_backbone, limit_stride, set_multi_grid
from course_utils.receptive_field import receptive_field


def shaken(model: nn.Module) -> nn.Module:
    """In float64, with batch statistics and scales that are not 0 and 1."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.7, 1.5)
    return model.double().eval()


def run(model: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return model(images)


def local_backbone(name: str, output_stride: int) -> nn.Sequential:
    """Without squeeze-and-excitation, whose means over the whole map depend on its density."""
    backbone = atrous_backbone(name, output_stride)
    for path, module in list(backbone.named_modules()):
        if isinstance(module, SqueezeExcitation):
            backbone.set_submodule(path, nn.Identity())
    return backbone


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v3_large"])
@pytest.mark.parametrize("size", [(65, 97), (70, 51)])
def test_subsampled_dense_features_are_the_strided_ones(name, size):
    strided = shaken(local_backbone(name, output_stride=32))
    images = torch.randn(2, 3, *size).double()
    expected = run(strided, images)
    for output_stride in (16, 8):
        dense = local_backbone(name, output_stride).double().eval()
        dense.load_state_dict(strided.state_dict())
        step = 32 // output_stride
        features = run(dense, images)
        assert features.shape[2:] == tuple(-(-side // output_stride) for side in size)
        torch.testing.assert_close(features[..., ::step, ::step], expected, atol=1e-10, rtol=1e-10)


def test_same_padding_keeps_its_grid_where_sides_are_odd():
    """65 × 97: sides of 2ⁿ·k + 1 stay odd at each stride, and TensorFlow's padding is then symmetric."""
    strided, dense = (atrous_backbone("efficientnet_lite0", s, pretrained=True).double().eval() for s in (32, 8))
    images = torch.randn(1, 3, 65, 97).double()
    torch.testing.assert_close(run(dense, images)[..., ::4, ::4], run(strided, images), atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v3_large", "efficientnet_lite0"])
def test_at_stride_32_it_is_the_classifier(name):
    torch.manual_seed(3)
    classifier = load_classifier(name, pretrained=False)
    torch.manual_seed(3)
    backbone = atrous_backbone(name, output_stride=32).eval()
    images, seen = torch.randn(1, 3, 64, 97), []
    pooling = {"resnet50": "avgpool", "mobilenet_v3_large": "avgpool", "efficientnet_lite0": "conv_head"}[name]
    classifier.get_submodule(pooling).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    run(classifier, images)
    assert torch.equal(run(backbone, images), seen[0])
    assert seen[0].shape[1] == BACKBONE_CHANNELS[name]


def test_other_networks_too():
    """ResNet-18: two 3×3 convolutions in a unit, the first strided."""
    strided = shaken(load_classifier("resnet18", pretrained=False))
    dense = deepcopy(strided)
    units = [*dense.layer1, *dense.layer2, *dense.layer3, *dense.layer4]
    limit_stride([dense.conv1, dense.maxpool, *units], 8)

    def features(net: nn.Module, images: Tensor) -> Tensor:
        return run(nn.Sequential(*list(net.children())[:-2]), images)

    images = torch.randn(1, 3, 81, 58).double()
    torch.testing.assert_close(features(dense, images)[..., ::4, ::4], features(strided, images))


@settings(max_examples=60, deadline=None)
@given(
    layers=st.lists(
        st.tuples(st.sampled_from([1, 2, 3, 5]), st.integers(1, 3), st.integers(0, 2)), min_size=1, max_size=4
    ),
    limit=st.integers(1, 6), size=st.tuples(st.integers(120, 160), st.integers(120, 160)),
)  # fmt: skip
def test_chains_of_any_convolutions(layers, limit, size):
    """Any kernel, stride and padding: the dense map holds the strided one at every factor-th place."""
    strided = nn.Sequential(*(nn.Conv2d(2, 2, k, s, p) for k, s, p in layers)).double()
    dense = deepcopy(strided)
    limit_stride(dense, limit)
    images = torch.randn(1, 2, *size).double()
    expected, features = run(strided, images), run(dense, images)  # sizes at which the deepest strided map has a pixel
    total = left = 1
    for _, stride, _ in layers:
        total *= stride
    for conv in dense:
        left *= conv.stride[0]
    assert left <= limit
    step = total // left
    rows, columns = expected.shape[2:]
    torch.testing.assert_close(features[..., ::step, ::step][..., :rows, :columns], expected)


def test_the_receptive_field_stays():
    for output_stride in (32, 16, 8):
        field = receptive_field(atrous_backbone("resnet50", output_stride), "layer4", (129, 193))
        assert field.size == (427, 427) and field.stride == (output_stride, output_stride)


# Rates


def rates(backbone: nn.Sequential, block: str) -> list[int]:
    return [unit.conv2.dilation[0] for unit in backbone.get_submodule(block)]


def test_rates_of_a_resnet():
    with torch.device("meta"):
        plain, grid = atrous_backbone("resnet50", 8), atrous_backbone("resnet50", 8, multi_grid=(1, 2, 4))
        coarse = atrous_backbone("resnet101", 16, multi_grid=(1, 2, 4))
    assert rates(plain, "layer3") == rates(grid, "layer3") == [1, 2, 2, 2, 2, 2]
    assert [rates(backbone, "layer4") for backbone in (plain, grid, coarse)] == [[2, 4, 4], [4, 8, 16], [2, 4, 8]]
    assert set(rates(coarse, "layer3")) == {1} and len(rates(coarse, "layer3")) == 23


def test_multi_grid_changes_no_size():
    backbone = atrous_backbone("resnet50", 16, multi_grid=(1, 2, 4)).eval()
    assert run(backbone, torch.randn(1, 3, 70, 33)).shape == (1, 2048, 5, 3)


# Weights and errors


def test_imagenet_weights_fit():
    weights = load_classifier("efficientnet_lite0").state_dict()
    backbone = atrous_backbone("efficientnet_lite0", 8, pretrained=True).state_dict()
    assert len(backbone) > 250
    for key, value in backbone.items():
        assert torch.equal(value, weights[key.replace("block", "blocks.") if key.startswith("block") else key]), key


def test_it_comes_in_training_mode():
    assert all(module.training for module in atrous_backbone("efficientnet_lite0").modules())


@pytest.mark.parametrize(("options", "words"), [
    ({"name": "resnet51"}, "Unknown backbone 'resnet51'. Did you mean 'resnet.*Known: resnet50, resnet101"),
    ({"name": "resnet50", "output_stride": 4}, "output_stride: expected 8, 16 or 32, got 4"),
    ({"name": "mobilenet_v3_large", "multi_grid": (1, 2, 4)}, "multi_grid: mobilenet_v3_large has no last block"),
    ({"name": "resnet50", "multi_grid": (1, 2)}, r"multi_grid: expected 3 whole numbers of 1 or more, got \(1, 2\)"),
    ({"name": "resnet50", "multi_grid": (1, 0, 4)}, "multi_grid: expected 3 whole numbers of 1 or more"),
    ({"name": "efficientnet_lite0", "pretrained": True, "in_channels": 4}, "in_channels: the ImageNet weights"),
])  # fmt: skip
def test_wrong_options(options, words):
    with torch.device("meta"), pytest.raises(ValueError, match=words):
        atrous_backbone(**options)


def test_strides_of_pooling_stay():
    with pytest.raises(ValueError, match="units: stride 4 comes from pooling, beyond the output stride 2"):
        limit_stride([nn.Conv2d(3, 4, 3, stride=2), nn.MaxPool2d(2)], 2)
    with pytest.raises(ValueError, match="multi_grid: expected 2"):
        set_multi_grid([nn.Identity(), nn.Identity()], 2, (1, 2, 4))
