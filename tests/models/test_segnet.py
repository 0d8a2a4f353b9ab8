"""SegNet and SegNet-Basic: what their papers and their authors' definitions say of them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from course_utils.layers.unpooling import Pooled, max_pool
from course_utils.models import build_model, load_classifier
from course_utils.models.segnet import SegNet
from course_utils.receptive_field import receptive_field


def layers(model: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
    return [module for module in model.modules() if isinstance(module, kind)]


@pytest.fixture
def meta() -> SegNet:
    with torch.device("meta"):
        return SegNet(11)


class TestSegNet:
    def test_twenty_six_convolutions_mirror_each_other(self, meta):
        """The released definition: the encoder is VGG16's, the decoder reads it backwards."""
        shapes = [(conv.in_channels, conv.out_channels) for conv in layers(meta, nn.Conv2d)]
        vgg = [layer for layer in load_classifier("vgg16", pretrained=False).features if isinstance(layer, nn.Conv2d)]
        assert shapes[:13] == [(conv.in_channels, conv.out_channels) for conv in vgg]
        mirrored = [(outputs, inputs) for inputs, outputs in reversed(shapes[:13])]
        assert shapes[13:-1] == mirrored[:-1] and shapes[-1] == (64, 11)
        assert all(conv.kernel_size == (3, 3) and conv.bias is not None for conv in layers(meta, nn.Conv2d))

    def test_the_scores_are_plain(self, meta):
        assert len(layers(meta, nn.BatchNorm2d)) == len(layers(meta, nn.ReLU)) == 25
        assert list(meta.children())[-1] is meta.score and isinstance(meta.score, nn.Conv2d)

    def test_no_layer_is_used_twice(self, meta):
        calls: list[nn.Module] = []
        for module in (*layers(meta, nn.Conv2d), *layers(meta, nn.BatchNorm2d)):
            module.register_forward_hook(lambda module, *_: calls.append(module))
        meta(torch.empty(1, 3, 64, 96, device="meta"))
        assert len(calls) == len(set(map(id, calls))) == 26 + 25

    def test_it_is_the_network_of_pytorchs_own_layers(self):
        """Written out once more, with `nn.MaxPool2d` and `nn.MaxUnpool2d`."""
        model = build_model("segnet", 5, width=3).double().eval()
        features = torch.randn(2, 3, 75, 101, dtype=torch.float64)
        expected, indices, sizes = features, [], []
        pool, unpool = nn.MaxPool2d(2, ceil_mode=True, return_indices=True), nn.MaxUnpool2d(2)
        encoder = model.encoder
        for stage in (encoder.conv1, encoder.conv2, encoder.conv3, encoder.conv4, encoder.conv5):
            expected = stage(expected)
            sizes.append(expected.shape)
            expected, index = pool(expected)
            indices.append(index)
        for stage in (model.decoder5, model.decoder4, model.decoder3, model.decoder2, model.decoder1):
            expected = stage(unpool(expected, indices.pop(), output_size=sizes.pop()))
        torch.testing.assert_close(model(features), model.score(expected))

    def test_nothing_but_indices_and_the_lowest_map_reaches_the_decoder(self, monkeypatch):
        """With the maps' values scrambled and their indices kept, the logits stay."""
        model = build_model("segnet", 4, width=4).double().eval()
        images = torch.randn(1, 3, 70, 90, dtype=torch.float64)
        before = model(images)
        encode = model.encoder.forward

        def scrambled(images: torch.Tensor) -> tuple[Pooled, ...]:
            *shallow, lowest = encode(images)
            return *(Pooled(torch.randn_like(p.values), p.indices, p.size) for p in shallow), lowest

        monkeypatch.setattr(model.encoder, "forward", scrambled)
        assert torch.equal(model(images), before)

        def elsewhere(images: torch.Tensor) -> tuple[Pooled, ...]:
            return tuple(Pooled(p.values, max_pool(torch.randn(p.values.shape[0], p.values.shape[1], *p.size)).indices,
                                p.size) for p in encode(images))  # fmt: skip

        monkeypatch.setattr(model.encoder, "forward", elsewhere)
        assert (model(images) - before).norm() / before.norm() > 0.1

    def test_weights_start_as_he_et_al_say(self):
        model = build_model("segnet", 5, width=16)
        for conv in layers(model, nn.Conv2d)[1:-1]:
            expected = (2 / (9 * conv.in_channels)) ** 0.5
            assert conv.weight.std().item() == pytest.approx(expected, rel=0.1)
            assert not conv.bias.any()

    def test_the_paper_gives_its_size_in_megabytes(self, meta):
        assert round(4 * sum(parameter.numel() for parameter in meta.parameters()) / 1e6, 1) == 117.8


class TestPretrained:
    @pytest.fixture
    def vgg(self, monkeypatch):
        """torchvision's network with random weights, and with statistics other than 0 and 1."""
        network = load_classifier("vgg16_bn", pretrained=False)
        for norm in layers(network, nn.BatchNorm2d):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
        monkeypatch.setattr("course_utils.models.vgg_encoder.load_classifier", lambda name: {"vgg16_bn": network}[name])
        return network

    def test_the_encoder_sees_what_the_classifier_sees(self, vgg):
        model = build_model("segnet", 3, pretrained=True).eval()
        image = torch.randn(1, 3, 64, 96)
        with torch.no_grad():
            torch.testing.assert_close(model.encoder(image)[-1].values, vgg.features(image))

    @pytest.mark.parametrize(("channels", "width"), [(1, 64), (3, 8)])
    def test_only_for_the_papers_width_and_three_channels(self, vgg, channels, width):
        with pytest.raises(ValueError, match=f"in_channels=3 and width=64, got {channels} and {width}"):
            build_model("segnet", 3, channels, width=width, pretrained=True)


class TestSegNetBasic:
    def test_a_unit_of_the_fourth_pooling_sees_106_pixels(self):
        """The paper's number: of the stages, without the normalisation across channels in front of them."""
        model = build_model("segnet_basic", 4, width=2)
        stages = [model.encoder1, model.encoder2, model.encoder3, model.encoder4]
        net = nn.Sequential(*(layer for stage in stages for layer in (stage, nn.MaxPool2d(2))))
        assert receptive_field(net, "7", (320, 288)).size == (106, 106)
        assert receptive_field(net, "6", (320, 288)).size == (98, 98)

    def test_the_decoder_is_affine_in_what_it_unpools(self):
        model = build_model("segnet_basic", 4, width=4).double().eval()
        image = torch.randn(1, 3, 48, 64, dtype=torch.float64)

        def logits(scale: float) -> torch.Tensor:
            """The fourth map times a number, its indices as they were."""
            hook = model.encoder4.register_forward_hook(lambda _module, _inputs, output: scale * output)
            with hook, torch.no_grad():
                return model(image)

        zero, one, three = logits(1e-300), logits(1.0), logits(3.0)
        torch.testing.assert_close(three - zero, 3 * (one - zero))
        assert (one - zero).norm() > 0.01 * zero.norm()

    def test_its_layers(self):
        model = build_model("segnet_basic", 4)
        assert len(layers(model, nn.ReLU)) == 4 and len(layers(model, nn.BatchNorm2d)) == 8
        assert [conv.kernel_size for conv in layers(model, nn.Conv2d)] == [(7, 7)] * 8 + [(1, 1)]
        without_biases = sum(p.numel() for n, p in model.named_parameters()) - sum(
            conv.bias.numel() for conv in layers(model, nn.Conv2d)
        )
        assert without_biases == 1_416_064 - 64 * (11 - 4)

    def test_its_first_layer_is_for_bytes(self):
        """The released normalisation changes pixels of 0 to 255 by percents, images in [0, 1] not at all."""
        images = torch.rand(1, 3, 40, 56)
        layer = build_model("segnet_basic", 2, width=2).normalize
        squares = images.square().sum(1, keepdim=True)  # of all three channels: the window holds five
        torch.testing.assert_close(layer(images), images / (1 + 1e-4 / 5 * squares) ** 0.75)
        assert (layer(images) - images).abs().max() < 1e-4
        assert (layer(255 * images) / 255 - images).abs().max() > 0.3


@pytest.mark.parametrize("name", ["segnet", "segnet_basic", "deconvnet"])
def test_no_channels_are_refused(name):
    with pytest.raises(ValueError, match="width: expected 1 or more channels, got 0"):
        build_model(name, 3, width=0)
