"""FCN on AlexNet and on GoogLeNet: sizes, alignment to the pixel, receptive fields."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from course_utils.models import build_model
from course_utils.models.fcn_googlenet import Inception
from course_utils.receptive_field import receptive_field
from tests.models.centroid import centroid, made_even

WIDTHS = {"fcn_alexnet": 6, "fcn_googlenet": 8}
EACH = pytest.mark.parametrize("name", WIDTHS)


def small(name: str, num_classes: int = 2) -> nn.Module:
    return build_model(name, num_classes, width=WIDTHS[name])


@pytest.mark.parametrize(("name", "parameters"), [("fcn_alexnet", 56_954_261), ("fcn_googlenet", 5_995_077)])
def test_trainable_parameters(name, parameters):
    with torch.device("meta"):
        model = build_model(name, 21)
    assert sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad) == parameters
    assert model.upscore.weight.numel() == 1_750_329 and not model.upscore.weight.requires_grad


@EACH
def test_any_size(name):
    with torch.device("meta"):
        model = small(name).eval()
        for height in range(1, 66):
            width = 1 + 37 * height % 71
            assert model(torch.zeros(1, 3, height, width)).shape == (1, 2, height, width)


@EACH
@pytest.mark.parametrize(("axis", "pixel"), [(0, 600), (1, 619)])
def test_logits_lie_exactly_on_their_pixels(name, axis, pixel):
    assert centroid(made_even(small(name, 1)), 1216, pixel, axis) == pytest.approx(pixel, abs=1e-6)


@pytest.mark.parametrize(("name", "scores", "logits"), [("fcn_alexnet", 355, 387), ("fcn_googlenet", 715, 747)])
def test_receptive_fields(name, scores, logits):
    """The upsampling reads two neighbouring scores, 32 pixels apart."""
    with torch.device("meta"):
        model = small(name)
        model.norm = nn.Identity()  # it looks across channels, not across pixels
        assert receptive_field(model, "score", (64, 96)).size == (scores, scores)
        assert receptive_field(model, "", (64, 96)).size == (logits, logits)


@EACH
def test_scores_start_at_zero(name):
    assert not small(name).train()(torch.randn(1, 3, 20, 30)).any()


def test_inception_by_its_parts():
    block = Inception(6, 2, 3, 4, 1, 5, 7)
    x = torch.randn(2, 6, 9, 11)
    out = block(x)
    assert out.shape == (2, 2 + 4 + 5 + 7, 9, 11)
    assert torch.equal(out[:, :2], block.ones(x)) and torch.equal(out[:, 2:6], block.threes(x))
    assert torch.equal(out[:, 6:11], block.fives(x)) and torch.equal(out[:, 11:], block.pooled(x))
    with torch.device("meta"):
        fields = {branch: receptive_field(block, branch, (64, 64)).size[0] for branch in ("ones", "threes", "fives")}
    assert fields == {"ones": 1, "threes": 3, "fives": 5}


@pytest.mark.parametrize(("name", "width", "message"), [
    ("fcn_alexnet", 16, "width: expected a multiple of 6, got 16"), ("fcn_alexnet", 0, "multiple of 6, got 0"),
    ("fcn_googlenet", 12, "width: expected a multiple of 8, got 12"), ("fcn_googlenet", 0, "multiple of 8, got 0"),
])  # fmt: skip
def test_widths_that_cannot_be(name, width, message):
    with pytest.raises(ValueError, match=message):
        build_model(name, 21, width=width)


@EACH
def test_there_are_no_pretrained_weights(name):
    with pytest.raises(TypeError, match="Unknown option"):
        build_model(name, 21, pretrained=True)
