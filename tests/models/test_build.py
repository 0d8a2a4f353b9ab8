"""`build_model`: what every network by name must do, whatever it is made of."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from course_utils.losses import cross_entropy
from course_utils.models import build_model, list_models, load_classifier
from course_utils.models.build import takes_option
from course_utils.models.small_fcn import SmallFCN

# For 3 channels and 8 classes. Another class adds a filter and a bias to each scoring layer; another channel adds 3 x 3
# weights to each first filter: SmallFCN scores at four stages and has 16 such filters, the encoder has 32.
COUNTS = {"small_fcn": 295_952, "smp_fpn": 3_429_768, "smp_unet": 3_833_224}
PER_CLASS = {"small_fcn": 16 + 32 + 64 + 128 + 4, "smp_fpn": 64 + 1, "smp_unet": 16 * 9 + 1}
PER_CHANNEL = {"small_fcn": 16 * 9, "smp_fpn": 32 * 9, "smp_unet": 32 * 9}
SIZES = [(37, 51), (64, 96), (1, 70), (33, 8)]


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", list_models())
@pytest.mark.parametrize("size", SIZES)
def test_logits_have_the_images_size(name, size):
    model = build_model(name, num_classes=5).eval()
    with torch.no_grad():
        assert model(torch.randn(2, 3, *size)).shape == (2, 5, *size)


@pytest.mark.parametrize("name", list_models())
@pytest.mark.parametrize("channels", [1, 5])
def test_other_channels(name, channels):
    model = build_model(name, num_classes=2, in_channels=channels)
    assert model(torch.randn(2, channels, 45, 35)).shape == (2, 2, 45, 35)


@pytest.mark.parametrize("name", list_models())
@pytest.mark.parametrize("channels", [3, 5])
def test_every_parameter_gets_a_gradient(name, channels):
    model = build_model(name, num_classes=4, in_channels=channels)
    target = torch.randint(4, (2, 65, 97))
    cross_entropy(model(torch.randn(2, channels, 65, 97)), target).backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), parameter_name
        assert parameter.grad.any(), parameter_name


@pytest.mark.parametrize("name", list_models())
def test_evaluation_is_deterministic_and_by_image(name):
    """Dropout and batch statistics are off: an image's logits depend neither on chance nor on the rest of the batch."""
    model = build_model(name, num_classes=3).eval()
    images = torch.randn(3, 3, 41, 67)
    with torch.no_grad():
        logits = model(images)
        assert torch.equal(logits, model(images))
        torch.testing.assert_close(logits[1:2], model(images[1:2]), atol=1e-4, rtol=1e-4)


def test_dropout_is_on_while_small_fcn_trains():
    model = build_model("small_fcn", num_classes=3, dropout=0.5).train()
    images = torch.randn(2, 3, 24, 40)
    assert not torch.equal(model(images), model(images))


@pytest.mark.parametrize("name", list_models())
def test_parameter_counts(name):
    assert count(build_model(name, num_classes=8)) == COUNTS[name]
    assert count(build_model(name, num_classes=11)) == COUNTS[name] + 3 * PER_CLASS[name]
    assert count(build_model(name, num_classes=8, in_channels=5)) == COUNTS[name] + 2 * PER_CHANNEL[name]


def test_the_docstring_of_small_fcn_counts_its_parameters():
    assert f"Parameters: {COUNTS['small_fcn']:,} for 3 channels, 8 classes" in " ".join(SmallFCN.__doc__.split())


def test_width_doubles_from_stage_to_stage():
    model = build_model("small_fcn", num_classes=2, width=6)
    assert [score.in_channels for score in model.scores] == [6, 12, 24, 48]


@pytest.mark.parametrize("name", list_models())
def test_the_seed_decides_the_weights(name):
    models = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        models.append(build_model(name, num_classes=3).state_dict())
    one, same, other = models
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)


# ImageNet weights


@pytest.mark.parametrize("name", [name for name in list_models() if takes_option(name, "pretrained")])
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
    with pytest.raises(ValueError, match="Unknown model 'unet'"):
        takes_option("unet", "pretrained")


def test_unknown_options():
    with pytest.raises(TypeError, match="Unknown option of small_fcn 'widht'. Did you mean 'width'"):
        build_model("small_fcn", 3, widht=8)
    with pytest.raises(TypeError, match="Unknown option of small_fcn 'pretrained'"):
        build_model("small_fcn", 3, pretrained=True)
    assert takes_option("smp_fpn", "pretrained") and not takes_option("small_fcn", "pretrained")


@pytest.mark.parametrize("name", list_models())
@pytest.mark.parametrize(("numbers", "words"), [
    ((0, 3), "num_classes: expected 1 or more, got 0"), ((3, -1), "in_channels: expected 1 or more, got -1"),
])  # fmt: skip
def test_numbers_below_one(name, numbers, words):
    with pytest.raises(ValueError, match=words):
        build_model(name, *numbers)
