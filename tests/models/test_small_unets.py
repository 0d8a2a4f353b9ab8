"""The small U-Nets that are compared: an arm differs from the others in what it says, and in nothing else."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from course_utils.models import build_model
from course_utils.models.small_unets import ARMS, SmallUNet


def parameters(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_a_sum_saves_the_kernels_of_the_skips():
    concat, total = SmallUNet(2, 1), SmallUNet(2, 1, "sum")
    assert (parameters(concat), parameters(total)) == (29_490, 26_610)
    assert parameters(concat) - parameters(total) == 9 * (16 * 16 + 8 * 8)


def test_concatenation_with_equal_kernels_for_both_maps_is_a_sum():
    """And only with equal kernels: the skip counts in both."""
    concat, total = SmallUNet(3, 2).double().eval(), SmallUNet(3, 2, "sum").double().eval()
    state = total.state_dict()
    for name in ("merge1.0.weight", "merge2.0.weight"):
        state[name] = torch.cat([state[name], state[name]], dim=1)
    concat.load_state_dict(state)
    images = torch.randn(2, 2, 20, 28, dtype=torch.float64)
    torch.testing.assert_close(concat(images), total(images))
    half = state["merge1.0.weight"].shape[1] // 2
    state["merge1.0.weight"][:, :half] = 0
    concat.load_state_dict(state)
    assert (concat(images) - total(images)).abs().max() > 1e-3


@pytest.mark.parametrize("join", ["concat", "sum"])
def test_any_image_is_extended_by_zeros_to_multiples_of_4(join):
    model, images = SmallUNet(2, 1, join).eval(), torch.randn(1, 1, 13, 22)
    assert torch.equal(model(images), model(F.pad(images, (0, 2, 0, 3)))[..., :13, :22])


def test_the_ensemble_says_the_mean_of_its_members():
    model = build_model("small_unets", 3, 1, copies=2).eval()
    images = torch.randn(1, 1, 16, 24)
    members = [member for arm in ARMS for member in model.members[arm]]
    assert len(members) == 10 and list(model.members) == list(ARMS)
    torch.testing.assert_close(model(images), sum(member(images) for member in members) / 10)
    assert [arm for arm in ARMS if model.members[arm][0].join == "sum"] == ["sum"]


def test_what_there_is_not():
    with pytest.raises(ValueError, match="Unknown join 'add'"):
        SmallUNet(2, 1, "add")
    with pytest.raises(ValueError, match="copies: expected 1 or more, got 0"):
        build_model("small_unets", 2, copies=0)
