"""Deep supervision: a weighted sum, each output against the target at its own size."""

from functools import partial
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from course_utils.losses import cross_entropy, deep_supervision, dice_loss, focal_loss

VOID = 255
TARGET = torch.randint(3, (2, 8, 12), generator=torch.Generator().manual_seed(0))
TARGET[:, 2:4, 4:6] = VOID


def outputs_of(*sizes):
    draw = torch.Generator().manual_seed(1)
    return [torch.randn(2, 3, *size, generator=draw).requires_grad_() for size in sizes]


def test_it_is_the_weighted_sum():
    full, half = outputs_of((8, 12), (4, 6))
    small_target = TARGET[:, 1::2, 1::2]  # nearest of 2 × 2: the centre lies on the corner of four, the last one counts
    expected = cross_entropy(full, TARGET) + 0.4 * cross_entropy(half, small_target)
    torch.testing.assert_close(deep_supervision([full, half], TARGET, (1, 0.4)), expected)
    assert deep_supervision([full], TARGET) == cross_entropy(full, TARGET)
    twice = deep_supervision([full, full], TARGET)
    torch.testing.assert_close(twice, 2 * cross_entropy(full, TARGET))


@pytest.mark.parametrize("size", [(4, 6), (1, 2), (3, 5), (8, 4)])
def test_targets_are_picked_never_mixed(size):
    seen = []
    deep_supervision(outputs_of(size), TARGET, loss=lambda logits, target: seen.append(target) or logits.sum())
    rows, columns = (
        ((torch.arange(small) + 0.5) * full / small).floor().long() for small, full in zip(size, (8, 12), strict=True)
    )
    assert seen[0].dtype == torch.int64 and torch.equal(seen[0], TARGET[:, rows][:, :, columns])


def test_any_loss_and_a_models_named_tuple():
    class Outputs(NamedTuple):
        out: Tensor
        aux: Tensor

    full, small = outputs_of((8, 12), (2, 3))
    for loss in (dice_loss, partial(focal_loss, gamma=1)):
        total = deep_supervision(Outputs(full, small), TARGET, (0.5, 2), loss)
        total.backward()
        assert full.grad.any() and small.grad.any()


@pytest.mark.parametrize(
    ("outputs", "options", "error", "message"),
    [
        ([], {}, ValueError, "outputs: expected a tuple or list of one or more"),
        (outputs_of((8, 12))[0], {}, ValueError, "outputs: .*for a single output call the loss"),
        (outputs_of((8, 12)), {"weights": (1, 2)}, ValueError, "weights has 2 numbers for 1 outputs"),
        (outputs_of((16, 24)), {}, ValueError, r"outputs\[0\] is \(16, 24\), larger than the target \(8, 12\)"),
        (outputs_of((4, 24)), {}, ValueError, r"outputs\[0\] is \(4, 24\), larger than the target"),
    ],
)
def test_bad_input_is_named(outputs, options, error, message):
    with pytest.raises(error, match=message):
        deep_supervision(outputs, TARGET, **options)


def test_the_target_is_checked_before_it_is_resized():
    with pytest.raises(TypeError, match="target: expected an int64"):
        deep_supervision(outputs_of((4, 6)), TARGET.float())
    with pytest.raises(ValueError, match="got 7"):
        deep_supervision(outputs_of((4, 6)), torch.full_like(TARGET, 7))
