"""Splits whose labels are not public are neither trained nor scored on, however they are wrapped."""

from __future__ import annotations

import pytest
from torch.utils.data import ConcatDataset, Subset

from course_utils.training import evaluate, fit
from tests.training.tiny import Stripes, network


class Unlabelled(Stripes):
    labelled = False
    split = "test"


class Labelled(Stripes):
    labelled = True


WRAPPED = {
    "itself": Unlabelled(),
    "subset": Subset(Unlabelled(), range(8)),
    "subset of a subset": Subset(Subset(Unlabelled(), range(10)), range(8)),
    "second part": ConcatDataset([Labelled(), Unlabelled()]),
    "part of a part": Subset(ConcatDataset([Labelled(), Subset(Unlabelled(), [1])]), range(9)),
}


@pytest.mark.parametrize("form", WRAPPED)
def test_it_is_refused_in_any_wrapping(form):
    words = "the labels of the split 'test' of Unlabelled are not public, .* Use a split with labels"
    with pytest.raises(ValueError, match=f"train: {words}"):
        fit(network(), WRAPPED[form], epochs=1, accelerator="cpu", progress=False)
    with pytest.raises(ValueError, match=f"val: {words}"):
        fit(network(), Stripes(), WRAPPED[form], epochs=1, accelerator="cpu", progress=False)
    with pytest.raises(ValueError, match=f"data: {words}"):
        evaluate(network(), WRAPPED[form], accelerator="cpu")


@pytest.mark.parametrize("data", [Labelled(), Stripes(), Subset(Labelled(), range(5)), ConcatDataset([Stripes()] * 2)])
def test_what_is_labelled_or_says_nothing_is_scored(data):
    assert evaluate(network(), data, accelerator="cpu").matrix.sum() > 0
