"""DeepLab v3: the paper's rates and heads; torchvision's networks, weights both ways and outputs equal."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import segmentation

from course_utils.models import build_model, load_classifier
from course_utils.models.deeplabv3 import DeepLabV3
from course_utils.models.deeplabv3_torchvision import DeepLabV3Torchvision
from course_utils.training.checks import main_output


def shake(model: nn.Module) -> None:
    """Scales, shifts and batch statistics that are neither 0 nor 1, and features that differ from place to place."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.5)
            module.momentum = None  # the statistics become those of the batch
    with torch.no_grad():
        model.train()(torch.randn(4, 3, 65, 94))


def pair(backbone: str, auxiliary: bool, num_classes: int = 21) -> tuple[nn.Module, nn.Module]:
    """Ours and torchvision's, each with random weights of its own."""
    make = getattr(segmentation, f"deeplabv3_{backbone}")
    theirs = make(weights=None, weights_backbone=None, num_classes=num_classes, aux_loss=auxiliary)
    return DeepLabV3Torchvision(num_classes, backbone=backbone, auxiliary=auxiliary), theirs


def both_outputs(ours: nn.Module, theirs: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        return ours.eval()(images), theirs.eval()(images)["out"]


# torchvision's networks


@pytest.mark.parametrize(("backbone", "auxiliary"), [
    ("resnet50", True), ("resnet50", False), ("mobilenet_v3_large", True), ("mobilenet_v3_large", False),
    pytest.param("resnet101", True, marks=pytest.mark.slow),
])  # fmt: skip
def test_weights_go_both_ways(backbone, auxiliary):
    ours, theirs = pair(backbone, auxiliary)
    images = torch.randn(2, 3, 65, 94)
    for giver, taker in ((theirs, ours), (ours, theirs)):
        shake(giver)
        taker.load_state_dict(giver.state_dict())
        got, expected = both_outputs(ours, theirs, images)
        assert got.shape == (2, 21, 65, 94) and expected.std(dim=(2, 3)).min() > 1e-3
        assert (got - expected).abs().max() <= 1e-5


@pytest.mark.parametrize("backbone", ["resnet50", "resnet101", "mobilenet_v3_large"])
def test_layer_by_layer_the_networks_are_built_alike(backbone):
    """On the meta device: names and shapes of all tensors, and stride, dilation and padding of all convolutions."""
    with torch.device("meta"):
        ours, theirs = pair(backbone, True)

    def tensors(model: nn.Module) -> dict[str, tuple[int, ...]]:
        return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}

    def settings(model: nn.Module) -> dict[str, tuple]:
        return {
            name: (layer.stride, layer.dilation, layer.padding, layer.groups)
            for name, layer in model.named_modules()
            if isinstance(layer, nn.Conv2d)
        }

    assert tensors(ours) == tensors(theirs)
    assert settings(ours) == settings(theirs)


def test_training_gives_the_same_outputs_losses_and_statistics():
    ours, theirs = pair("mobilenet_v3_large", True, num_classes=5)
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(2, 3, 65, 94)
    torch.manual_seed(0)  # of the dropout
    got = ours.train()(images)
    torch.manual_seed(0)
    expected = theirs.train()(images)
    torch.testing.assert_close(got.out, expected["out"])
    torch.testing.assert_close(got.aux, expected["aux"])
    assert got[0] is got.out is main_output(got)
    for key, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[key], value, msg=key)


def test_in_evaluation_mode_it_returns_logits():
    model = DeepLabV3Torchvision(5, backbone="mobilenet_v3_large", auxiliary=True).eval()
    assert model(torch.randn(1, 3, 33, 50)).shape == (1, 5, 33, 50)
    assert isinstance(DeepLabV3Torchvision(5, backbone="mobilenet_v3_large").train()(torch.randn(2, 3, 33, 50)), Tensor)


def test_torchvisions_form_has_no_efficientnet():
    with pytest.raises(ValueError, match="Unknown backbone 'efficientnet_lite0'.*Known: resnet50"):
        DeepLabV3Torchvision(5, backbone="efficientnet_lite0")


@pytest.mark.parametrize(("backbone", "auxiliary", "count"), [
    ("resnet50", False, 39_638_869), ("resnet50", True, 42_004_074), ("resnet101", False, 58_630_997),
    ("resnet101", True, 60_996_202), ("mobilenet_v3_large", False, 11_025_477),
    ("mobilenet_v3_large", True, 11_029_328),
])  # fmt: skip
def test_torchvisions_counts(backbone, auxiliary, count):
    with torch.device("meta"):
        model = DeepLabV3Torchvision(21, backbone=backbone, auxiliary=auxiliary)
    assert sum(parameter.numel() for parameter in model.parameters()) == count
    assert f"{count:,}" in DeepLabV3Torchvision.__doc__


def test_torchvisions_form_with_other_channels():
    model = DeepLabV3Torchvision(5, in_channels=4, backbone="mobilenet_v3_large").eval()
    assert model(torch.randn(1, 4, 33, 50)).shape == (1, 5, 33, 50)


# The paper's


def head_rates(model: DeepLabV3) -> list[int]:
    return [layer.dilation[0] for layer in model.classifier.modules() if isinstance(layer, nn.Conv2d)]


def test_the_papers_rates():
    with torch.device("meta"):
        model, dense, plain = DeepLabV3(21), DeepLabV3(21, output_stride=8), DeepLabV3(21, multi_grid=(1, 1, 1))
    assert [unit.conv2.dilation[0] for unit in model.backbone.layer4] == [2, 4, 8]
    assert [unit.conv2.dilation[0] for unit in dense.backbone.layer4] == [4, 8, 16]
    assert [unit.conv2.dilation[0] for unit in plain.backbone.layer4] == [2, 2, 2]
    assert head_rates(model) == [1, 6, 12, 18, 1, 1, 1] and head_rates(dense) == [1, 12, 24, 36, 1, 1, 1]
    assert all(layer.padding[0] == layer.dilation[0] for layer in model.classifier.modules()
               if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3))  # fmt: skip


@pytest.mark.parametrize("size", [(1, 1), (70, 33)])
def test_the_default_takes_images_of_any_size(size):
    model = build_model("deeplabv3", 3).eval()
    with torch.no_grad():
        assert model(torch.randn(1, 3, *size)).shape == (1, 3, *size)
        assert model.backbone(torch.randn(1, 3, *size)).shape[2:] == tuple(-(-side // 16) for side in size)


def test_both_output_strides_have_the_same_weights():
    coarse, dense = (DeepLabV3(4, backbone="efficientnet_lite0", output_stride=stride, width=8) for stride in (16, 8))
    dense.load_state_dict(coarse.state_dict())


def test_the_head_is_the_papers_part_of_torchvisions():
    """Without its 3×3 convolution torchvision's head is ASPP and scores: equal to ours with the same weights."""
    ours, (theirs, _) = DeepLabV3(6, backbone="mobilenet_v3_large"), pair("mobilenet_v3_large", False, 6)
    theirs.classifier = nn.Sequential(theirs.classifier[0], theirs.classifier[4])
    theirs.classifier.load_state_dict(ours.classifier.state_dict())
    for branch, rate in zip(theirs.classifier[0].convs[1:4], (6, 12, 18), strict=True):
        branch[0].dilation = branch[0].padding = (rate, rate)
    features = torch.randn(1, 960, 7, 12)
    with torch.no_grad():
        expected, got = theirs.eval().classifier(features), ours.eval().classifier(features)
    torch.testing.assert_close(got, expected)


def test_pretrained():
    weights = load_classifier("efficientnet_lite0").state_dict()
    model = build_model("deeplabv3", 3, backbone="efficientnet_lite0", pretrained=True)
    assert torch.equal(model.backbone.conv_stem.weight, weights["conv_stem.weight"])
    random = build_model("deeplabv3", 3, backbone="efficientnet_lite0")
    assert not torch.equal(random.backbone.conv_stem.weight, weights["conv_stem.weight"])


# Two heads


def test_two_heads():
    options = {"backbone": "efficientnet_lite0", "width": 16}
    one, two = build_model("deeplabv3", 5, **options).eval(), build_model("deeplabv3", 5, depth=True, **options).eval()
    two.load_state_dict(one.state_dict(), strict=False)
    images = torch.randn(2, 3, 45, 62)
    with torch.no_grad():
        logits, both = one(images), two(images)
    assert torch.equal(both.out, logits) and both[0] is both.out is main_output(both)
    assert both.depth.shape == (2, 45, 62) and both.depth.std() > 0


def test_each_head_learns_from_its_own_loss_and_both_share_the_backbone():
    model = build_model("deeplabv3", 5, depth=True, backbone="efficientnet_lite0", width=16).train()
    outputs = model(torch.randn(2, 3, 33, 50))
    outputs.depth.square().mean().backward()
    assert all(parameter.grad is None for parameter in model.classifier.parameters())
    assert model.depth[1].weight.grad.any() and model.backbone.conv_stem.weight.grad.any()


# Errors


@pytest.mark.parametrize(("options", "words"), [
    ({"output_stride": 32}, "output_stride: expected 16 or 8, got 32"),
    ({"backbone": "resnet-50"}, "Unknown backbone 'resnet-50'. Did you mean 'resnet50'"),
    ({"backbone": "efficientnet_lite0", "multi_grid": (1, 2, 4)}, "multi_grid: efficientnet_lite0 has no last block"),
    ({"backbone": "efficientnet_lite0", "in_channels": 5, "pretrained": True}, "in_channels: the ImageNet weights"),
])  # fmt: skip
def test_wrong_options(options, words):
    with torch.device("meta"), pytest.raises(ValueError, match=words):
        build_model("deeplabv3", 3, **options)


def test_one_image_in_training_mode():
    model = build_model("deeplabv3", 3, backbone="efficientnet_lite0", width=8)
    with pytest.raises(ValueError, match="images: got a batch of 1 in training mode"):
        model.train()(torch.randn(1, 3, 64, 80))
