"""What every loss promises: void is not there, half precision is safe, gradients are right, bad input is named."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.losses import (
    cross_entropy,
    deep_supervision,
    dice_loss,
    focal_loss,
    jaccard_loss,
    lovasz_softmax,
    ohem_cross_entropy,
    weighted_cross_entropy,
)

VOID = 255


def by_pixel_weights(logits, target, ignore_index=VOID):
    weights = torch.linspace(0.5, 3, target.shape[1] * target.shape[2]).view(target.shape[1:]).expand(target.shape)
    return weighted_cross_entropy(logits, target, weights, ignore_index=ignore_index)


def by_class_weights(logits, target, ignore_index=VOID):
    return cross_entropy(logits, target, weight=torch.arange(1.0, logits.shape[1] + 1), ignore_index=ignore_index)


def at_two_sizes(logits, target, ignore_index=VOID):
    small = logits[:, :, 1::2, 1::2] if min(target.shape[1:]) > 1 else logits  # what the nearest neighbour picks, too
    return deep_supervision((logits, small), target, (1, 0.4), partial(cross_entropy, ignore_index=ignore_index))


LOSSES = {
    "cross_entropy": cross_entropy,
    "cross_entropy with class weights": by_class_weights,
    "weighted_cross_entropy": by_pixel_weights,
    "focal_loss": focal_loss,
    "focal_loss, gamma 0.5": lambda *a, **k: focal_loss(*a, gamma=0.5, **k),
    "ohem_cross_entropy": ohem_cross_entropy,
    "ohem_cross_entropy, few": lambda *a, **k: ohem_cross_entropy(*a, threshold=0.2, min_share=0.3, **k),
    "dice_loss": dice_loss,
    "jaccard_loss": jaccard_loss,
    "lovasz_softmax": lovasz_softmax,
    "deep_supervision": at_two_sizes,
}
every_loss = pytest.mark.parametrize("name", LOSSES)


def batch(classes=4, size=(2, 6, 7), void=0.3, dtype=torch.float32, seed=0):
    draw = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(size[0], classes, *size[1:], generator=draw, dtype=torch.float64).to(dtype)
    target = torch.randint(classes, size, generator=draw)
    target[torch.rand(size, generator=draw) < void] = VOID
    return logits.requires_grad_(), target


@every_loss
def test_gradients_are_those_of_the_value(name):
    logits, target = batch(classes=3, size=(2, 3, 4), dtype=torch.float64)
    assert LOSSES[name](logits, target).dtype == torch.float64
    assert torch.autograd.gradcheck(lambda x: LOSSES[name](x, target), logits)


@every_loss
@pytest.mark.parametrize("size", [(2, 6, 7), (1, 1, 1), (0, 3, 4)])
def test_a_batch_of_void_gives_zero_and_a_gradient_of_zeros(name, size):
    logits, _ = batch(size=size)
    loss = LOSSES[name](logits, torch.full(size, VOID))
    loss.backward()
    assert loss.item() == 0 and loss.ndim == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


@every_loss
@settings(max_examples=25)
@given(st.integers(0, 2**32), st.sampled_from([0.1, 0.5, 0.9]))
def test_void_pixels_are_not_there(name, seed, void):
    logits, target = batch(seed=seed, void=void)
    loss = LOSSES[name](logits, target)
    loss.backward()
    at_void = (target == VOID)[:, None].expand_as(logits)
    assert (logits.grad[at_void] == 0).all()
    assert loss >= 0 and logits.grad.isfinite().all()
    changed = torch.where(at_void, 1e4 * torch.randn_like(logits), logits)
    assert LOSSES[name](changed, target) == loss
    renamed = torch.where(target == VOID, -7, target)
    assert LOSSES[name](logits, renamed, ignore_index=-7) == loss


@every_loss
def test_an_image_of_void_more_changes_nothing(name):
    logits, target = batch(void=0.2)
    more = torch.cat([logits, logits[:1]]), torch.cat([target, torch.full_like(target[:1], VOID)])
    torch.testing.assert_close(LOSSES[name](*more), LOSSES[name](logits, target))


@every_loss
def test_classes_have_no_order(name):
    if name == "cross_entropy with class weights":
        pytest.skip("its weights follow the order")
    logits, target = batch()
    order = torch.tensor([2, 0, 3, 1])
    renamed = torch.where(target == VOID, VOID, order.argsort()[target % VOID])
    torch.testing.assert_close(LOSSES[name](logits[:, order], renamed), LOSSES[name](logits, target))


@every_loss
def test_certain_and_right_costs_nothing_and_certain_and_wrong_is_finite(name):
    _, target = batch(void=0)
    certain = 80 * torch.nn.functional.one_hot(target, 4).movedim(-1, 1).float()
    certain.requires_grad_()
    loss = LOSSES[name](certain, target)
    loss.backward()
    assert loss.abs() < 1e-6 and certain.grad.isfinite().all()
    wrong = certain.detach().roll(1, dims=1).requires_grad_()
    loss = LOSSES[name](wrong, target)
    loss.backward()
    assert 0.2 < loss < 1e4 and wrong.grad.isfinite().all()


@every_loss
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(name, dtype):
    logits, target = batch(dtype=dtype)
    exact = LOSSES[name](logits.float(), target)
    with torch.autocast("cpu", dtype=dtype):
        under_autocast = LOSSES[name](logits, target)
        of_float32 = LOSSES[name](logits.float(), target)
    assert under_autocast.dtype == torch.float32
    assert under_autocast == exact == of_float32 == LOSSES[name](logits, target)
    under_autocast.backward()
    assert logits.grad.dtype == dtype and logits.grad.isfinite().all() and logits.grad.any()
    large = torch.full((1, 2, 2, 3), 6e4, dtype=torch.float16)
    large[:, 1] *= -1
    assert LOSSES[name](large, torch.ones(1, 2, 3, dtype=torch.int64)).isfinite()


@every_loss
def test_following_the_gradient_lowers_it(name):
    logits, target = batch()
    before = LOSSES[name](logits, target)
    (slope,) = torch.autograd.grad(before, logits)
    assert LOSSES[name](logits - 0.01 * slope / slope.norm(), target) < before


LOGITS, TARGET = torch.zeros(2, 3, 4, 5), torch.zeros(2, 4, 5, dtype=torch.int64)
BAD = {
    "argmax": (TARGET, TARGET, TypeError, "logits: expected a float .*int64.*not their argmax"),
    "array": (LOGITS.numpy(), TARGET, TypeError, "logits: expected a float tensor.*NumPy array"),
    "one image": (LOGITS[0], TARGET[0], ValueError, r"logits: .*\(N, K, H, W\), got .*\(3, 4, 5\).*logits\[None\]"),
    "one class": (LOGITS[:, :1], TARGET, ValueError, "K = 2 classes or more, got K = 1"),
    "float target": (LOGITS, TARGET.float(), TypeError, "target: expected an int64"),
    "other size": (LOGITS, TARGET[:, :2], ValueError, r"target has shape \(2, 2, 5\).*= \(2, 4, 5\)"),
    "other batch": (LOGITS, TARGET[:1], ValueError, r"target has shape \(1, 4, 5\)"),
    "class axis": (LOGITS, TARGET[:, None], ValueError, r"target has shape \(2, 1, 4, 5\)"),
    "device": (LOGITS, TARGET.to("meta"), ValueError, "target is on meta and logits on cpu"),
    "too large": (LOGITS, TARGET + 3, ValueError, "target: class numbers must be 0 to 2, or 255 for void; got 3 in"),
    "negative": (LOGITS, TARGET - 1, ValueError, "target: class numbers .* got -1 in 40 pixels"),
}


@pytest.mark.parametrize("name", sorted(LOSSES.keys() - {"deep_supervision", "weighted_cross_entropy"}))
@pytest.mark.parametrize("fault", BAD)
def test_bad_input_is_named(name, fault):
    logits, target, error, message = BAD[fault]
    with pytest.raises(error, match=message):
        LOSSES[name](logits, target)


@pytest.mark.parametrize("fault", BAD)
def test_bad_input_is_named_by_the_weighted_one_too(fault):
    logits, target, error, message = BAD[fault]
    with pytest.raises(error, match=message):
        weighted_cross_entropy(logits, target, torch.ones(target.shape))
