"""Losses by pixel: equal to the libraries', and to their definitions where there is none."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torchvision.ops import sigmoid_focal_loss

from course_utils.losses import cross_entropy, focal_loss, ohem_cross_entropy, weighted_cross_entropy

VOID = 255
SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 7))


def batch(classes, size, seed, void=0.3):
    """Logits, a target with void and at least one pixel without."""
    draw = torch.Generator().manual_seed(seed)
    logits = 4 * torch.randn(size[0], classes, *size[1:], generator=draw, dtype=torch.float64)
    target = torch.randint(classes, size, generator=draw)
    target[torch.rand(size, generator=draw) < void] = VOID
    target[0, 0, 0] = 1
    return logits, target


def log_p(logits, target):
    """-log p of the valid pixels, one after the other, by the definition of the softmax."""
    valid = target != VOID
    scores = logits.movedim(1, -1)[valid]  # (P, K)
    true = scores.gather(1, target[valid][:, None])[:, 0]
    return scores.exp().sum(1).log() - true


@settings(max_examples=80)
@given(st.integers(2, 6), SIZES, SEEDS)
def test_cross_entropy_is_the_nll_of_the_log_softmax_and_the_librarys(classes, size, seed):
    logits, target = batch(classes, size, seed)
    ours = cross_entropy(logits, target)
    torch.testing.assert_close(ours, F.cross_entropy(logits, target, ignore_index=VOID))
    torch.testing.assert_close(ours, nn.NLLLoss(ignore_index=VOID)(F.log_softmax(logits, dim=1), target))
    torch.testing.assert_close(ours, log_p(logits, target).mean())
    weight = torch.rand(classes, generator=torch.Generator().manual_seed(seed)) + 0.1
    weighted = cross_entropy(logits, target, weight=weight)
    torch.testing.assert_close(weighted, F.cross_entropy(logits, target, weight.double(), ignore_index=VOID))


def test_classes_of_weight_zero_alone_cost_nothing():
    logits, target = batch(3, (1, 2, 3), 0)
    logits.requires_grad_()
    loss = cross_entropy(logits, torch.full_like(target, 2), weight=torch.tensor([1.0, 1, 0]))
    loss.backward()
    assert loss == 0 and not logits.grad.any()


@settings(max_examples=40)
@given(st.integers(2, 6), SIZES, SEEDS)
def test_pixel_weights_scale_each_pixel(classes, size, seed):
    logits, target = batch(classes, size, seed)
    weights = 5 * torch.rand(size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    ours = weighted_cross_entropy(logits, target, weights)
    torch.testing.assert_close(ours, (weights[target != VOID] * log_p(logits, target)).mean())
    ones = torch.ones(size)
    torch.testing.assert_close(weighted_cross_entropy(logits, target, ones), cross_entropy(logits, target))
    nan_at_void = torch.where(target == VOID, math.nan, weights)
    assert weighted_cross_entropy(logits, target, nan_at_void) == ours


@settings(max_examples=40)
@given(SIZES, SEEDS, st.sampled_from([0.0, 0.5, 1.0, 2.0, 5.0]))
def test_focal_loss_of_two_classes_is_torchvisions(size, seed, gamma):
    logits, target = batch(2, size, seed)
    valid = target != VOID
    score = (logits[:, 1] - logits[:, 0])[valid]  # the softmax of two is the sigmoid of their difference
    theirs = sigmoid_focal_loss(score, target[valid].double(), alpha=-1, gamma=gamma, reduction="mean")
    torch.testing.assert_close(focal_loss(logits, target, gamma=gamma), theirs)


@settings(max_examples=40)
@given(st.integers(2, 6), SIZES, SEEDS, st.floats(0, 5))
def test_focal_loss_is_its_formula_and_cross_entropy_at_gamma_0(classes, size, seed, gamma):
    logits, target = batch(classes, size, seed)
    losses = log_p(logits, target)
    expected = ((1 - torch.exp(-losses)) ** gamma * losses).mean()
    torch.testing.assert_close(focal_loss(logits, target, gamma=gamma), expected)
    torch.testing.assert_close(focal_loss(logits, target, gamma=0), cross_entropy(logits, target))


@settings(max_examples=80)
@given(st.integers(2, 6), SIZES, SEEDS, st.floats(0, 1), st.floats(0, 1))
def test_ohem_averages_the_hardest(classes, size, seed, threshold, min_share):
    logits, target = batch(classes, size, seed)
    losses = log_p(logits, target).sort(descending=True).values
    hard = losses[torch.exp(-losses) < threshold]
    fewest = losses[: math.ceil(min_share * len(losses))]
    kept = max(hard, fewest, key=len)
    expected = kept.mean() if len(kept) else torch.zeros((), dtype=torch.float64)
    ours = ohem_cross_entropy(logits, target, threshold=threshold, min_share=min_share)
    torch.testing.assert_close(ours, expected)
    torch.testing.assert_close(ohem_cross_entropy(logits, target, min_share=1), cross_entropy(logits, target))


def test_ohem_gives_easy_pixels_no_gradient():
    logits = torch.tensor([[5.0, 0.2, -3.0, 5.0], [0.0, 0.0, 0.0, 0.0]]).view(1, 2, 1, 4).requires_grad_()
    ohem_cross_entropy(logits, torch.zeros(1, 1, 4, dtype=torch.int64)).backward()
    assert logits.grad[0, 0, 0].ne(0).tolist() == [False, True, True, False]


LOGITS, TARGET = torch.zeros(2, 3, 4, 5), torch.zeros(2, 4, 5, dtype=torch.int64)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: cross_entropy(LOGITS, TARGET, weight=torch.ones(4)), ValueError, r"weight: .*\(3,\).*shape \(4,\)"),
        (lambda: cross_entropy(LOGITS, TARGET, weight=[1, 2, 3]), TypeError, "weight: expected a float tensor"),
        (lambda: cross_entropy(LOGITS, TARGET, weight=torch.ones(3).long()), TypeError, "weight: expected a float"),
        (lambda: cross_entropy(LOGITS, TARGET, weight=-torch.ones(3)), ValueError, "weight: .*all 0 or more"),
        (lambda: weighted_cross_entropy(LOGITS, TARGET, torch.ones(3)), ValueError, r"pixel_weights: .*\(2, 4, 5\)"),
        (lambda: weighted_cross_entropy(LOGITS, TARGET, TARGET), TypeError, "pixel_weights: expected a float"),
        (lambda: weighted_cross_entropy(LOGITS, TARGET, TARGET - 1.0), ValueError, "pixel_weights: .* or more, got -1"),
        (lambda: focal_loss(LOGITS, TARGET, gamma=-1), ValueError, "gamma is -1; expected 0 or more"),
        (lambda: ohem_cross_entropy(LOGITS, TARGET, threshold=2), ValueError, "threshold is 2; expected .* 0 to 1"),
        (lambda: ohem_cross_entropy(LOGITS, TARGET, min_share=-1), ValueError, "min_share is -1; expected .* 0 to 1"),
    ],
)
def test_bad_options_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
