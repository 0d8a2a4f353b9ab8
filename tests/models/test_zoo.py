"""What every network by name must do, whatever it is made of."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor, nn

from course_utils.losses import cross_entropy
from course_utils.metrics import ConfusionMatrix
from course_utils.models import build_model, list_models
from course_utils.models.build import builder
from course_utils.training.checks import main_output
from tests.models.zoo import Case, all_cases, two_pictures

CASES = all_cases()
EACH = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def test_every_network_has_a_case():
    assert sorted({case.name for case in CASES}) == list_models()


@EACH
def test_parameter_counts(case: Case):
    for count in case.counts:
        with torch.device("meta"):
            model = build_model(case.name, count.num_classes, count.in_channels, **count.options)
        assert sum(parameter.numel() for parameter in model.parameters()) == count.parameters, count


@EACH
def test_the_docstring_tells_a_true_count(case: Case):
    """What builds the network says how many parameters it has: a number that is tested above."""
    text = builder(case.name).__doc__
    numbers = re.findall(r"\d[\d,]{4,}\d", text)
    assert {f"{count.parameters:,}" for count in case.counts} & set(numbers), "no tested count in the docstring"


@EACH
def test_logits_have_the_size_that_is_promised(case: Case):
    model = case.build(5).eval()
    with torch.no_grad():
        for size in case.sizes:
            assert model(case.images(2, size)).shape == (2, 5, *case.output_size(*size)), size


@EACH
@pytest.mark.parametrize("channels", [1, 5])
def test_other_channels(case: Case, channels: int):
    size = case.sizes[0]
    model = case.build(2, channels).eval()
    with torch.no_grad():
        assert model(case.images(1, size, channels)).shape == (1, 2, *case.output_size(*size))


@EACH
def test_every_parameter_gets_a_gradient(case: Case):
    """After one step: what starts at zero, such as FCN's scores, hides the layers before it at first."""
    model = case.build().train()
    images, target = batch(case)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    for _ in range(2):
        optimizer.zero_grad()
        cross_entropy(logits(model, images), target).backward()
        optimizer.step()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
            assert parameter.grad.any(), name


@EACH
def test_evaluation_is_deterministic_and_by_image(case: Case):
    """Dropout and batch statistics are off: an image's logits depend neither on chance nor on the rest of the batch."""
    model = case.build(3).eval()
    images = case.images(3, case.sizes[0])
    with torch.no_grad():
        out = model(images)
        assert torch.equal(out, model(images))
        torch.testing.assert_close(out[1:2], model(images[1:2]), atol=1e-4, rtol=1e-4)


@EACH
def test_the_seed_decides_the_weights(case: Case):
    models = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        models.append(case.build().state_dict())
    one, same, other = models
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)


@EACH
def test_it_compiles_to_one_graph(case: Case):
    """Without a break: no step of the network depends on values in Python."""
    model = case.build().eval()
    images = case.images(1, case.sizes[0])
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(model, fullgraph=True, backend="eager")(images), model(images))


@pytest.mark.slow
@EACH
def test_compiled_code_computes_the_same(case: Case):
    model = case.build().eval()
    images = case.images(1, case.sizes[0])
    with torch.no_grad():
        compiled = torch.compile(model, fullgraph=True)(images)
        torch.testing.assert_close(compiled, model(images), atol=1e-4, rtol=1e-4)


@EACH
def test_it_exports(case: Case):
    model = case.build().eval()
    images = case.images(2, case.sizes[0])
    with torch.no_grad():
        program = torch.export.export(model, (images,))
        torch.testing.assert_close(program.module()(images), model(images))


@EACH
def test_it_learns_two_pictures_by_heart(case: Case):
    model = case.build()
    images, target = batch(case)
    optimizer = torch.optim.Adam(model.parameters(), lr=case.lr)
    reached = 0.0
    for step in range(case.steps):
        cross_entropy(logits(model.train(), images), target).backward()
        optimizer.step()
        optimizer.zero_grad()
        if step % 10 == 9:
            with torch.no_grad():
                answer = logits(model.eval(), images).argmax(1)
            reached = max(reached, ConfusionMatrix(4).update(answer, target).mean_iu())
            if reached >= 0.95:
                return
    pytest.fail(f"mean IoU {reached:.3f} after {case.steps} steps")


@EACH
@pytest.mark.parametrize(("numbers", "words"), [
    ((0, 3), "num_classes: expected 1 or more, got 0"), ((3, -1), "in_channels: expected 1 or more, got -1"),
])  # fmt: skip
def test_numbers_below_one(case: Case, numbers: tuple[int, int], words: str):
    with pytest.raises(ValueError, match=words):
        build_model(case.name, *numbers)


def logits(model: nn.Module, images: Tensor) -> Tensor:
    return main_output(model(images))


def batch(case: Case) -> tuple[Tensor, Tensor]:
    """Two pictures, and the part of their masks that the logits cover (all of it, or the centre)."""
    images, masks = two_pictures(case.train_size)
    (height, width), (rows, cols) = case.train_size, case.output_size(*case.train_size)
    top, left = (height - rows) // 2, (width - cols) // 2
    return images.to(case.images(1, (1, 1)).dtype), masks[:, top : top + rows, left : left + cols]
