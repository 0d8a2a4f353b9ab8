"""`build_model`: its options and errors. What all networks must do is in test_zoo.py."""

from __future__ import annotations

import pytest
import torch

from course_utils.models import build_model, load_classifier
from course_utils.models.build import takes_option


def test_dropout_is_on_while_small_fcn_trains():
    model = build_model("small_fcn", num_classes=3, dropout=0.5).train()
    images = torch.randn(2, 3, 24, 40)
    assert not torch.equal(model(images), model(images))


def test_width_doubles_from_stage_to_stage():
    model = build_model("small_fcn", num_classes=2, width=6)
    assert [score.in_channels for score in model.scores] == [6, 12, 24, 48]


# ImageNet weights


@pytest.mark.parametrize("name", ["smp_fpn", "smp_unet"])
class TestPretrained:
    def test_the_encoder_has_the_classifiers_weights(self, name):
        encoder = build_model(name, num_classes=3, pretrained=True).network.encoder.model.state_dict()
        weights = load_classifier("efficientnet_lite0").state_dict()
        assert len(encoder) > 200 and all(torch.equal(encoder[key], weights[key]) for key in encoder)
        left_out = {key.partition(".")[0] for key in weights.keys() - encoder.keys()}
        assert left_out <= {"conv_head", "bn2", "classifier"}

    def test_the_encoder_sees_what_the_classifier_sees(self, name):
        encoder = build_model(name, num_classes=3, pretrained=True).eval().network.encoder
        classifier = load_classifier("efficientnet_lite0")
        image = torch.rand(1, 3, 64, 96) * 2 - 1
        with torch.no_grad():
            _, *features = encoder(image)
            stages = [classifier.bn1(classifier.conv_stem(image))]
            for block in classifier.blocks:
                stages.append(block(stages[-1]))
        assert [tuple(map_.shape[2:]) for map_ in features] == [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3)]
        for map_ in features:
            assert any(stage.shape == map_.shape and torch.allclose(stage, map_, atol=1e-4) for stage in stages)

    def test_without_it_the_weights_are_random(self, name):
        encoder = build_model(name, num_classes=3).network.encoder.model.state_dict()
        weights = load_classifier("efficientnet_lite0").state_dict()
        assert not torch.equal(encoder["conv_stem.weight"], weights["conv_stem.weight"])

    @pytest.mark.parametrize("channels", [1, 5])
    def test_only_for_three_channels(self, name, channels):
        with pytest.raises(ValueError, match=f"in_channels: the ImageNet weights are for 3 channels, got {channels}"):
            build_model(name, 3, channels, pretrained=True)


# Errors


def test_unknown_names():
    with pytest.raises(ValueError, match="Unknown model 'smp_fnp'. Did you mean 'smp_fpn'"):
        build_model("smp_fnp", 3)
    with pytest.raises(ValueError, match="Unknown model 'vnet'"):
        takes_option("vnet", "pretrained")


def test_unknown_options():
    with pytest.raises(TypeError, match="Unknown option of small_fcn 'widht'. Did you mean 'width'"):
        build_model("small_fcn", 3, widht=8)
    with pytest.raises(TypeError, match="Unknown option of small_fcn 'pretrained'"):
        build_model("small_fcn", 3, pretrained=True)
    assert takes_option("smp_fpn", "pretrained") and not takes_option("small_fcn", "pretrained")
