"""DeconvNet: what its paper and its authors' definition say of it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.models import build_model, load_classifier
from course_utils.models.deconvnet import DeconvNet


@pytest.fixture
def meta() -> DeconvNet:
    with torch.device("meta"):
        return DeconvNet(21)


def layers(model: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
    return [module for module in model.modules() if isinstance(module, kind)]


def test_the_layers_of_the_released_definition(meta):
    convolutions = [(conv.in_channels, conv.out_channels) for conv in layers(meta, nn.Conv2d)]
    deconvolutions = [(conv.in_channels, conv.out_channels) for conv in layers(meta, nn.ConvTranspose2d)]
    assert convolutions[13:] == [(512, 4096), (4096, 4096), (64, 21)]
    assert deconvolutions == [
        (4096, 512), (512, 512), (512, 512), (512, 512), (512, 512), (512, 512), (512, 256), (256, 256), (256, 256),
        (256, 128), (128, 128), (128, 64), (64, 64), (64, 64),
    ]  # fmt: skip
    assert len(layers(meta, nn.BatchNorm2d)) == len(layers(meta, nn.ReLU)) == 29


def test_the_bottleneck_is_one_vector(meta):
    shapes = {}
    for name in ("fc6", "fc7", "fc6_deconv", "deconv5", "deconv1"):
        hook = lambda _module, _inputs, output, name=name: shapes.update({name: tuple(output.shape[1:])})  # noqa: E731
        meta.get_submodule(name).register_forward_hook(hook)
    assert meta.eval()(torch.empty(1, 3, 224, 224, device="meta")).shape == (1, 21, 224, 224)
    assert shapes == {
        "fc6": (4096, 1, 1), "fc7": (4096, 1, 1), "fc6_deconv": (512, 7, 7), "deconv5": (512, 14, 14),
        "deconv1": (64, 224, 224),
    }  # fmt: skip


def test_where_the_parameters_are(meta):
    total = sum(parameter.numel() for parameter in meta.parameters())
    at_the_bottom = meta.fc6[0].weight.numel() + meta.fc6_deconv[0].weight.numel()
    assert at_the_bottom == 2 * 7 * 7 * 512 * 4096
    assert round(at_the_bottom / total, 2) == 0.82


@pytest.mark.parametrize("size", [(193, 224), (224, 257), (300, 320)])
def test_images_from_193_pixels_on(size):
    model = build_model("deconvnet", 3, width=2, fc_width=4).eval()
    with torch.no_grad():
        assert model(torch.randn(1, 3, *size)).shape == (1, 3, *size)


@pytest.mark.parametrize(("options", "size", "words"), [
    ({}, (192, 300), r"images: 192×300 pixels; fc6 reads 7×7 .* 193 pixels or more.* fc_size=6"),
    ({}, (300, 100), r"fc_size=4"),
    ({"fc_size": 3}, (96, 64), r"fc6 reads 3×3 .* 65 pixels or more.* fc_size=2"),
])  # fmt: skip
def test_images_that_are_too_small(options, size, words):
    model = build_model("deconvnet", 3, width=1, fc_width=2, **options)
    with pytest.raises(ValueError, match=words):
        model(torch.zeros(1, 3, *size))


def test_the_fix_that_the_error_names_works():
    model = build_model("deconvnet", 3, width=1, fc_width=2, fc_size=4).eval()
    assert model(torch.zeros(1, 3, 300, 100)).shape == (1, 3, 300, 100)


@pytest.mark.parametrize("option", ["fc_width", "fc_size"])
def test_options_below_one(option):
    with pytest.raises(ValueError, match=f"{option}: expected 1 or more, got 0"):
        build_model("deconvnet", 3, **{option: 0})


def test_a_deconvolution_of_stride_1_is_a_convolution_with_its_kernel_turned_round():
    model = build_model("deconvnet", 3, width=2, fc_width=4, fc_size=1).double()
    for layer in layers(model, nn.ConvTranspose2d)[1:]:
        features = torch.randn(2, layer.in_channels, 9, 6, dtype=torch.float64)
        turned = layer.weight.transpose(0, 1).flip(2, 3)
        torch.testing.assert_close(layer(features), F.conv2d(features, turned, layer.bias, padding=1))


def test_weights_start_as_he_et_al_say():
    model = build_model("deconvnet", 3, width=8, fc_width=40, fc_size=3)
    for layer in (model.fc6[0], model.fc7[0], model.deconv5[1][0], model.deconv4[2][0]):
        inputs = layer.in_channels * layer.kernel_size[0] ** 2
        assert layer.weight.std().item() == pytest.approx((2 / inputs) ** 0.5, rel=0.1)


class TestPretrained:
    @pytest.fixture
    def vgg(self, monkeypatch):
        """torchvision's convolutions with random weights, and its two large matrices made small."""
        network = load_classifier("vgg16_bn", pretrained=False)
        network.classifier = nn.Sequential(nn.Linear(512 * 4, 24), nn.ReLU(), nn.Dropout(), nn.Linear(24, 24))
        monkeypatch.setattr("course_utils.models.vgg_encoder.load_classifier", lambda name: {"vgg16_bn": network}[name])
        return network.eval()

    def test_fc6_and_fc7_are_the_classifiers(self, vgg):
        model = build_model("deconvnet", 2, fc_width=24, fc_size=2, pretrained=True).eval()
        image = torch.randn(1, 3, 64, 64)
        with torch.no_grad():
            features = model.encoder(image)[-1].values
            torch.testing.assert_close(features, vgg.features(image))
            fc6 = vgg.classifier[0](features.flatten(1))
            torch.testing.assert_close(model.fc6[0](features).flatten(1), fc6, atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(model.fc7[0](fc6[:, :, None, None]).flatten(1), vgg.classifier[3](fc6))

    def test_of_another_size_they_stay_random(self, vgg):
        model = build_model("deconvnet", 2, fc_width=8, fc_size=2, pretrained=True)
        assert model.fc6[0].weight.shape == (8, 512, 2, 2)
        assert model.fc6[0].weight.std().item() == pytest.approx((2 / (512 * 4)) ** 0.5, rel=0.1)

    def test_only_for_the_papers_width(self, vgg):
        with pytest.raises(ValueError, match="in_channels=3 and width=64, got 3 and 8"):
            build_model("deconvnet", 3, width=8, fc_width=8, pretrained=True)
