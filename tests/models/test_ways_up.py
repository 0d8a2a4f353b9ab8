"""The small networks that compare ways up: they differ in what they say, and in nothing else."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from course_utils.layers.unpooling import indices_of_positions, max_pool
from course_utils.models import build_model
from course_utils.models.ways_up import WAYS, EncoderDecoder, StageUp


def parameters(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_they_have_the_same_encoder_and_nearly_as_many_parameters():
    members = {way: EncoderDecoder(8, 3, way) for way in WAYS}
    assert [parameters(member) for member in members.values()] == [26_396, 26_396, 26_396, 26_286, 26_716]
    for member in members.values():
        encoder = [member.conv1, member.conv2, member.conv3, member.bottom]
        assert [parameters(layer) for layer in encoder] == [348, 1760, 3504, 5232]


def test_a_transposed_stage_is_an_unpooling_stage_with_fixed_indices():
    """At the upper left of each window, its kernel turned round: for odd sizes too."""
    transposed, unpooling = (StageUp(3, 2, way).double().eval() for way in ("transposed", "unpooling"))
    convolution, *rest = unpooling.first
    convolution.weight.data = transposed.stretch.weight.data.transpose(0, 1).flip(2, 3)
    for size in ((8, 10), (7, 10), (9, 5)):
        before = torch.randn(2, 3, *size, dtype=torch.float64)
        pooled = max_pool(before)
        corners = indices_of_positions(torch.zeros_like(pooled.indices), width=size[1])
        expected = rest[0](convolution(F.max_unpool2d(pooled.values, corners, 2, output_size=size)))
        stretched = transposed.stretch(pooled.values, output_size=size)
        torch.testing.assert_close(rest[0](stretched), expected)
        assert transposed(pooled.values, pooled, before).shape == (2, 2, *size)


def test_only_skips_see_the_encoders_map():
    for way in ("unpooling", "transposed", "bilinear", "skips"):
        stage = StageUp(4, 3, way).eval()
        before = torch.randn(1, 4, 6, 10)
        pooled = max_pool(before)
        same = torch.equal(stage(pooled.values, pooled, before), stage(pooled.values, pooled, before + 1))
        assert same == (way != "skips")


def test_only_unpooling_sees_the_indices():
    for way in ("unpooling", "transposed", "bilinear", "skips"):
        stage = StageUp(4, 3, way).eval()
        before = torch.rand(1, 4, 6, 10)
        pooled = max_pool(before)
        other = pooled._replace(indices=max_pool(-before).indices)
        same = torch.equal(stage(pooled.values, pooled, before), stage(pooled.values, other, before))
        assert same == (way != "unpooling")


def test_the_ensemble_says_the_mean_of_its_members():
    model = build_model("ways_up", 5, copies=2).eval()
    images = torch.randn(1, 3, 16, 24)
    members = [member for members in model.members.values() for member in members]
    assert len(members) == 10
    torch.testing.assert_close(model(images), sum(member(images) for member in members) / 10)


def test_what_there_is_not():
    with pytest.raises(ValueError, match="Unknown way 'unpool'. Did you mean 'unpooling'"):
        EncoderDecoder(8, 3, "unpool")
    with pytest.raises(ValueError, match="copies: expected 1 or more, got 0"):
        build_model("ways_up", 8, copies=0)
