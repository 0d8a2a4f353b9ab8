"""Losses by class: equal to the library's and to their definitions; at hard predictions, to the scores."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from segmentation_models_pytorch import losses as smp

from course_utils.losses import dice_loss, jaccard_loss, lovasz_softmax
from course_utils.metrics import ConfusionMatrix

VOID = 255
SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.tuples(st.integers(1, 3), st.integers(2, 5), st.integers(3, 7))


def batch(classes, size, seed, void=0.3, all_present=False):
    draw = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(size[0], classes, *size[1:], generator=draw, dtype=torch.float64)
    target = torch.randint(classes, size, generator=draw)
    target[torch.rand(size, generator=draw) < void] = VOID
    if all_present:
        target.view(-1)[:classes] = torch.arange(classes)
    return logits, target


@settings(max_examples=40)
@given(st.integers(2, 6), SIZES, SEEDS)
def test_dice_is_smps_where_every_class_is_present(classes, size, seed):
    logits, target = batch(classes, size, seed, all_present=True)
    theirs = smp.DiceLoss("multiclass", ignore_index=VOID)(logits, target)
    torch.testing.assert_close(dice_loss(logits, target), theirs)


@settings(max_examples=40)
@given(st.integers(2, 6), SIZES, SEEDS)
def test_jaccard_is_smps_where_every_class_is_present(classes, size, seed):
    logits, target = batch(classes, size, seed, void=0, all_present=True)
    torch.testing.assert_close(jaccard_loss(logits, target), smp.JaccardLoss("multiclass")(logits, target))


@settings(max_examples=60)
@given(st.integers(2, 6), SIZES, SEEDS)
def test_lovasz_is_smps(classes, size, seed):
    logits, target = batch(classes, size, seed)
    target[0, 0, 0] = 0
    logits = logits.float()  # theirs takes no other
    theirs = smp.LovaszLoss("multiclass", ignore_index=VOID)(logits, target)
    torch.testing.assert_close(lovasz_softmax(logits, target), theirs, rtol=1e-5, atol=1e-6)


@settings(max_examples=25)
@given(st.integers(2, 4), SEEDS)
def test_lovasz_is_the_lovasz_extension_by_definition(classes, seed):
    """Σ e(i) · (Δ{the i largest errors wrong} - Δ{the i - 1 largest wrong}), with Δ = 1 - IoU counted from sets."""
    logits, target = batch(classes, (1, 3, 4), seed)
    target[0, 0, 0] = 0
    valid = target.flatten() != VOID
    truth = target.flatten()[valid].tolist()
    probabilities = logits.softmax(1).movedim(1, -1).flatten(0, 2)[valid]  # (P, K)

    def jaccard_loss_of(wrong, class_):
        members = {i for i, label in enumerate(truth) if label == class_}
        found = members ^ set(wrong)
        return 1 - len(members & found) / len(members | found)

    losses = []
    for class_ in set(truth):
        errors = [abs((label == class_) - p[class_].item()) for label, p in zip(truth, probabilities, strict=True)]
        order = sorted(range(len(truth)), key=lambda i: -errors[i])
        steps = [
            jaccard_loss_of(order[: i + 1], class_) - jaccard_loss_of(order[:i], class_) for i in range(len(order))
        ]
        losses.append(sum(errors[i] * step for i, step in zip(order, steps, strict=True)))
    assert lovasz_softmax(logits, target).item() == pytest.approx(sum(losses) / len(losses))


@settings(max_examples=60)
@given(st.integers(2, 6), SIZES, SEEDS)
def test_hard_predictions_give_one_minus_the_score(classes, size, seed):
    logits, target = batch(classes, size, seed)
    target[0, 0, 0] = 0
    prediction = logits.argmax(1)
    hard = 1e4 * F.one_hot(prediction, classes).movedim(-1, 1).double()
    matrix = ConfusionMatrix(classes).update(prediction, target)
    in_truth = matrix.matrix.sum(1) > 0
    for loss, score in ((jaccard_loss, matrix.iu), (lovasz_softmax, matrix.iu), (dice_loss, matrix.dice)):
        torch.testing.assert_close(loss(hard, target), (1 - score()[in_truth]).mean())


def test_a_class_that_is_not_there_is_not_judged():
    logits, target = batch(3, (2, 4, 5), 0)
    target[target == 2] = 0
    more = torch.cat([logits, torch.full_like(logits[:, :1], -1e4)], dim=1)  # a fourth class, never predicted
    for loss in (dice_loss, jaccard_loss, lovasz_softmax):
        torch.testing.assert_close(loss(more, target), loss(logits, target))


def test_lovasz_holds_for_a_large_class():
    """Single steps are around 1e-6 here: differences of numbers near one would have lost them in float32."""
    target = torch.zeros(1, 1000, 1200, dtype=torch.int64)
    target[:, :600] = 1
    logits = torch.randn(1, 2, 1000, 1200, generator=torch.Generator().manual_seed(0))
    exact = lovasz_softmax(logits.double(), target)
    assert lovasz_softmax(logits, target).item() == pytest.approx(exact.item(), rel=1e-6)
    slopes = [
        torch.autograd.grad(lovasz_softmax(x.requires_grad_(), target), x)[0] for x in (logits, logits.double())
    ]
    torch.testing.assert_close(slopes[0].double(), slopes[1], rtol=1e-3, atol=1e-11)
