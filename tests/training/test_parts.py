"""The parts of training: order, random numbers, schedules, log."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import SGD

from course_utils.training.history import History
from course_utils.training.order import EpochBatches, SeededDataset, own_random_numbers
from course_utils.training.random_state import random_states, restore_random_states, seed_everything
from course_utils.training.schedules import SCHEDULES, make_schedule
from tests.training.tiny import Stripes


@given(
    length=st.integers(1, 40), batch_size=st.integers(1, 12), seed=st.integers(0, 2**32), epoch=st.integers(0, 5),
    data=st.data(),
)  # fmt: skip
@settings(deadline=None)
def test_an_epoch_sees_full_batches_of_different_samples(length, batch_size, seed, epoch, data):
    batches = EpochBatches(length, batch_size, seed)
    batches.start(epoch)
    epoch_batches = list(batches)
    indices = [index for batch in epoch_batches for _, index in batch]
    assert len(epoch_batches) == len(batches) == length // batch_size
    assert all(len(batch) == batch_size for batch in epoch_batches)
    assert len(set(indices)) == len(indices) and set(indices) <= set(range(length))
    assert {at for batch in epoch_batches for at, _ in batch} <= {epoch}
    step = data.draw(st.integers(0, len(batches)))
    batches.start(epoch, step)
    assert list(batches) == epoch_batches[step:]


@given(world_size=st.integers(1, 4), share=st.integers(1, 3), batches=st.integers(1, 4), seed=st.integers(0, 99))
@settings(deadline=None)
def test_processes_share_each_batch(world_size, share, batches, seed):
    size = world_size * share
    whole = list(EpochBatches(size * batches, size, seed))
    parts = [list(EpochBatches(size * batches, size, seed, rank, world_size)) for rank in range(world_size)]
    for number, batch in enumerate(whole):
        assert sorted(sum((part[number] for part in parts), [])) == sorted(batch)
        assert {len(part[number]) for part in parts} == {share}


def test_each_epoch_has_its_own_order_and_leaves_others_out():
    batches = EpochBatches(10, 4, seed=0)
    seen = []
    for epoch in range(30):
        batches.start(epoch)
        seen.append(tuple(index for batch in batches for _, index in batch))
    assert len(set(seen)) == 30 and {index for order in seen for index in order} == set(range(10))


def test_a_sample_depends_on_seed_epoch_and_index_only():
    seeded = SeededDataset(Stripes(), seed=3)
    image = seeded[1, 4][0]
    seeded[0, 2], torch.rand(5), np.random.rand(3), random.random()
    assert torch.equal(image, seeded[1, 4][0])
    assert not torch.equal(image, seeded[2, 4][0])
    assert not torch.equal(image, SeededDataset(Stripes(), seed=4)[1, 4][0])


def test_own_random_numbers_leave_the_others_alone():
    seed_everything(5)
    expected = torch.rand(3), np.random.rand(3), random.random()
    seed_everything(5)
    with pytest.raises(KeyError), own_random_numbers(1, 2):
        torch.rand(7), np.random.rand(7), random.random()
        raise KeyError
    ours = torch.rand(3), np.random.rand(3), random.random()
    assert torch.equal(ours[0], expected[0]) and (ours[1] == expected[1]).all() and ours[2] == expected[2]


def draw():
    return torch.rand(3).tolist(), np.random.randn(3).tolist(), random.gauss(0, 1), float(torch.randn(()))


@pytest.mark.parametrize("seed", [0, 1, 2**40])
def test_random_states_come_back(tmp_path, seed):
    seed_everything(seed)
    np.random.randn(), random.gauss(0, 1)  # both keep a second number in store
    torch.save(random_states(), tmp_path / "states.pt")
    expected = draw()
    assert draw() != expected
    restore_random_states(torch.load(tmp_path / "states.pt", weights_only=True))
    assert draw() == expected


def rates(name: str, steps: int) -> list[float]:
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    schedule = make_schedule(name, optimizer, steps)
    values = []
    for _ in range(steps):
        values.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return values


@pytest.mark.parametrize("steps", [1, 2, 7, 30])
@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_stay_between_zero_and_the_largest(name, steps):
    assert all(0 < rate <= 0.1 + 1e-12 for rate in rates(name, steps))


def test_the_shapes_of_the_schedules():
    assert rates("constant", 5) == [0.1] * 5
    assert rates("poly", 8) == pytest.approx([0.1 * (1 - step / 8) ** 0.9 for step in range(8)])
    assert rates("step", 6) == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])
    cycle = rates("one_cycle", 100)
    assert max(cycle) == pytest.approx(0.1, rel=1e-2) and 25 <= cycle.index(max(cycle)) <= 35
    assert cycle[0] < 0.01 and cycle[-1] < 0.001


def test_the_best_row():
    history = History()
    scores = [0.2, float("nan"), 0.5, 0.5, 0.4]
    assert [history.add({"val_mean_iu": score}) for score in scores] == [True, False, True, False, False]
    assert history.best_epoch == 3 and history.best["val_mean_iu"] == 0.5
    assert History().add({"val_mean_iu": float("nan")})
    by_loss = History()
    assert [by_loss.add({"train_loss": loss}) for loss in (3.0, 2.0, 2.5)] == [True, True, False]
