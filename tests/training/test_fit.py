"""`fit`: what it learns, what it logs, and that an interrupted run ends as the one that was left alone."""

from __future__ import annotations

import csv
import math
import os
import random
import signal
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch.utils.data import ConcatDataset, Subset

from course_utils.losses import cross_entropy
from course_utils.metrics import ConfusionMatrix
from course_utils.training import (
    CheckpointFolder,
    TrainingDiverged,
    TrainingInterrupted,
    evaluate,
    fit,
    load_checkpoint,
)
from tests.training.tiny import SIZE, Stripes, network, same_weights

fit = partial(fit, accelerator="cpu", progress=False)
TRAIN, VAL = Stripes(), Stripes(5, seed=1, augment=False)


class Stop(Exception):
    pass


class StopsAt(Stripes):
    """Breaks when the n-th sample is asked for, as a crash would."""

    def __init__(self, samples: int):
        super().__init__()
        self.left = samples

    def __getitem__(self, index):
        self.left -= 1
        if self.left < 0:
            raise Stop
        return super().__getitem__(index)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """(model, history, folder) of a run that was left alone: 4 epochs of 3 steps."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    model = network()
    history = fit(model, TRAIN, VAL, epochs=4, batch_size=4, lr=0.01, folder=folder)
    return model, history, folder


def test_it_learns():
    model = network()
    history = fit(model, TRAIN, VAL, epochs=15, batch_size=4, lr=0.05)
    assert history.best["val_mean_iu"] > 0.6 > 0.4 > history.rows[0]["val_mean_iu"]
    assert history.rows[-1]["train_loss"] < history.rows[0]["train_loss"] / 3


def test_the_log_holds_what_evaluate_gives(whole):
    model, history, folder = whole
    matrix = evaluate(model, VAL, accelerator="cpu")
    last = history.rows[-1]
    scores = {"acc": matrix.acc(), "acc_cls": matrix.acc_cls(), "mean_iu": matrix.mean_iu(), "fw_iu": matrix.fw_iu()}
    assert {name: last[f"val_{name}"] for name in scores} == scores
    assert [row["epoch"] for row in history.rows] == [1, 2, 3, 4]
    assert [row["step"] for row in history.rows] == [3, 6, 9, 12]
    with (folder / "log.csv").open() as file:
        rows = [{name: float(text) for name, text in row.items()} for row in csv.DictReader(file)]
    assert rows == history.rows
    assert any((folder / "tensorboard").iterdir())


def test_the_validation_loss_is_the_mean_over_all_valid_pixels(whole):
    model, history, _ = whole
    images, masks = zip(*(VAL[i] for i in range(len(VAL))), strict=True)
    with torch.no_grad():
        expected = cross_entropy(model.eval()(torch.stack(images)), torch.stack(masks))
    assert history.rows[-1]["val_loss"] == pytest.approx(float(expected), rel=1e-5)


def test_the_best_checkpoint_has_the_weights_of_the_best_epoch(whole):
    _, history, folder = whole
    assert history.best["val_mean_iu"] == max(history.column("val_mean_iu"))
    state = load_checkpoint(CheckpointFolder(folder).best())
    model = network(seed=9)
    model.load_state_dict(state["model"])
    assert evaluate(model, VAL, accelerator="cpu").mean_iu() == history.best["val_mean_iu"]


@pytest.mark.parametrize("stop", [1, 5, 12, 13, 17, 24, 30, 47])
@pytest.mark.parametrize("every", [None, 1, 2])
def test_a_resumed_run_ends_as_the_one_left_alone(whole, tmp_path, stop, every):
    model, history, folder = whole
    settings = {"epochs": 4, "batch_size": 4, "lr": 0.01, "folder": tmp_path, "checkpoint_every": every}
    with pytest.raises(Stop):
        fit(network(), StopsAt(stop), VAL, **settings)
    np.random.seed(7), random.seed(7), torch.manual_seed(7)  # another process has other states
    resumed = network(seed=3)
    again = fit(resumed, TRAIN, VAL, resume=True, **settings)
    assert same_weights(resumed, model)
    assert again.rows == history.rows and again.best_epoch == history.best_epoch
    assert (tmp_path / "log.csv").read_bytes() == (folder / "log.csv").read_bytes()
    ours, theirs = (load_checkpoint(CheckpointFolder(one).best())["model"] for one in (tmp_path, folder))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("schedule", ["constant", "poly", "one_cycle", "step"])
@pytest.mark.parametrize("optimizer", [partial(SGD, momentum=0.9), torch.optim.AdamW, torch.optim.RMSprop])
def test_every_schedule_and_optimiser_is_resumed(tmp_path, schedule, optimizer):
    settings = {"epochs": 3, "batch_size": 4, "lr": 0.01, "schedule": schedule, "optimizer": optimizer, "clip": 0.5}
    model, resumed = network(), network()
    history = fit(model, TRAIN, **settings)
    with pytest.raises(Stop):
        fit(network(), StopsAt(20), folder=tmp_path, checkpoint_every=1, **settings)
    again = fit(resumed, TRAIN, folder=tmp_path, checkpoint_every=1, resume=True, **settings)
    assert same_weights(model, resumed) and history.rows == again.rows


def test_loading_in_workers_changes_nothing(whole):
    model, history, _ = whole
    with_workers = network()
    again = fit(with_workers, TRAIN, VAL, epochs=4, batch_size=4, lr=0.01, num_workers=2)
    assert same_weights(model, with_workers) and again.rows == history.rows


def test_a_resumed_run_that_is_finished_changes_nothing(whole):
    model, history, folder = whole
    names = sorted(path.name for path in folder.glob("*.pt"))
    finished = network(seed=5)
    again = fit(finished, TRAIN, VAL, epochs=4, batch_size=4, lr=0.01, folder=folder, resume=True)
    assert same_weights(model, finished) and again.rows == history.rows
    assert sorted(path.name for path in folder.glob("*.pt")) == names


def test_another_seed_gives_another_run(whole):
    other = network()
    fit(other, TRAIN, epochs=4, batch_size=4, lr=0.01, seed=1)
    assert not same_weights(other, whole[0])


def test_it_stops_when_nothing_improves(tmp_path):
    def flat(logits, target):
        return 0.0 * logits.sum()

    settings = {"epochs": 20, "batch_size": 4, "patience": 3, "folder": tmp_path, "optimizer": SGD, "loss": flat}
    history = fit(nn.Conv2d(3, 3, 1), TRAIN, VAL, **settings)
    assert history.stopped_early and len(history.rows) == 4 and history.best_epoch == 1
    again = fit(nn.Conv2d(3, 3, 1), TRAIN, VAL, resume=True, **settings)
    assert again.rows == history.rows


@pytest.mark.parametrize("form", ["subset", "concatenated"])
def test_parts_of_data_sets_train_too(form):
    train = Subset(TRAIN, range(6)) if form == "subset" else ConcatDataset([TRAIN, Stripes(3, seed=4)])
    assert len(fit(network(), train, VAL, epochs=1, batch_size=3).rows) == 1


def test_the_callback_sees_the_log_grow():
    seen = []
    fit(network(), TRAIN, VAL, epochs=3, batch_size=4, on_epoch=[lambda history: seen.append(len(history.rows))])
    assert seen == [1, 2, 3]


@pytest.mark.parametrize("options", [{"channels_last": True}, {"precision": "bf16-mixed"}, {"clip": 1.0}])
def test_it_learns_with(options):
    history = fit(network(), TRAIN, VAL, epochs=12, batch_size=4, lr=0.02, **options)
    assert history.best["val_mean_iu"] > 0.5


def test_gradients_are_clipped():
    before, after = network(), network()
    fit(after, TRAIN, epochs=1, batch_size=14, lr=1.0, optimizer=SGD, clip=0.01, schedule="constant")
    pairs = zip(before.parameters(), after.parameters(), strict=True)
    assert math.sqrt(sum(float((a - b).detach().square().sum()) for a, b in pairs)) == pytest.approx(0.01, rel=1e-3)


class TestWhatGoesWrong:
    def test_an_empty_set(self):
        with pytest.raises(ValueError, match="train: Stripes has no samples"):
            fit(network(), Stripes(0), epochs=1)
        with pytest.raises(ValueError, match="val: Stripes has no samples"):
            fit(network(), TRAIN, Stripes(0), epochs=1)
        with pytest.raises(ValueError, match="data: Stripes has no samples"):
            evaluate(network(), Stripes(0))

    def test_a_model_of_other_classes(self):
        with pytest.raises(ValueError, match="has 5 classes, the data 3: build it with num_classes=3"):
            fit(network(5), TRAIN, epochs=1)
        with pytest.raises(ValueError, match="num_classes=3"):
            evaluate(network(2), VAL)

    def test_a_model_of_other_channels(self):
        with pytest.raises(ValueError, match="reads 1 channels, but the images have 3.*in_channels=3"):
            fit(network(in_channels=1), TRAIN, epochs=1)

    def test_a_model_of_smaller_output(self):
        with pytest.raises(ValueError, match="another size than its input"):
            fit(nn.Conv2d(3, 3, 3), TRAIN, epochs=1)

    def test_a_model_that_returns_something_else(self):
        class Strange(nn.Conv2d):
            def forward(self, images):
                return [super().forward(images)]

        with pytest.raises(TypeError, match="expected it to return logits"):
            fit(Strange(3, 3, 1), TRAIN, epochs=1)

    def test_labels_out_of_range(self):
        class Wrong(Stripes):
            def __getitem__(self, index):
                image, mask = super().__getitem__(index)
                mask[mask == 2] = 7
                return image, mask

        with pytest.raises(ValueError, match="7"):
            fit(network(), Wrong(), epochs=1)
        with pytest.raises(ValueError, match="7"):
            evaluate(network(), Wrong())

    def test_images_of_several_sizes(self):
        class Sizes(Stripes):
            def __getitem__(self, index):
                image, mask = super().__getitem__(index)
                return image[:, index % 2 :], mask[index % 2 :]

        with pytest.raises(ValueError, match="differ in size.*batch_size=1"):
            fit(network(), Sizes(), epochs=1)
        assert evaluate(network(), Sizes()).matrix.sum() > 0

    def test_splits_of_different_sets(self):
        class Other(Stripes):
            classes = ("sky", "road", "tree")

        with pytest.raises(ValueError, match="sky.*Use two splits of one set"):
            fit(network(), TRAIN, Other(), epochs=1)

    def test_a_data_set_without_classes(self):
        with pytest.raises(TypeError, match="list has no attribute 'classes'"):
            fit(network(), [TRAIN[0]], epochs=1, batch_size=1)

    @pytest.mark.parametrize(("options", "match"), [
        ({"batch_size": 15}, "1 to 14"), ({"batch_size": 0}, "1 to 14"), ({"epochs": 0}, "epochs: expected 1"),
        ({"schedule": "ploy"}, "Did you mean 'poly'"), ({"patience": 0}, "patience: expected 1 or more, got 0"),
        ({"checkpoint_every": -1}, "checkpoint_every: expected 1"), ({"clip": 0.0}, "clip: expected a norm above 0"),
        ({"seed": -1}, "seed: expected a whole number from 0"), ({"seed": 2**70}, "seed: expected"),
    ])  # fmt: skip
    def test_settings(self, options, match):
        with pytest.raises(ValueError, match=match):
            fit(network(), TRAIN, **{"epochs": 1, **options})

    def test_resuming_with_other_settings(self, whole):
        with pytest.raises(ValueError, match="epochs was 4, is 5; batch_size was 4, is 2"):
            fit(network(), TRAIN, VAL, epochs=5, batch_size=2, lr=0.01, folder=whole[2], resume=True)

    def test_resuming_with_another_model(self, whole):
        wider = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), *list(network())[1:])
        with pytest.raises(ValueError, match=r"0.weight is \(8, 3, 3, 3\) in the model, \(6, 3, 3, 3\) in the checkpo"):
            fit(wider, TRAIN, VAL, epochs=4, batch_size=4, lr=0.01, folder=whole[2], resume=True)

    def test_a_folder_that_is_taken(self, whole):
        with pytest.raises(ValueError, match="holds the checkpoints of a run. Go on with resume=True"):
            fit(network(), TRAIN, epochs=4, folder=whole[2])

    def test_a_loss_that_becomes_nan(self, tmp_path):
        def diverging(logits, target):
            diverging.calls = getattr(diverging, "calls", 0) + 1
            return cross_entropy(logits, target) * (math.nan if diverging.calls == 5 else 1)

        with pytest.raises(TrainingDiverged, match=r"nan in step 5 \(epoch 2\).*diverged-00000005.pt") as caught:
            fit(network(), TRAIN, epochs=3, batch_size=4, loss=diverging, folder=tmp_path, checkpoint_every=1)
        batch = load_checkpoint(tmp_path / "diverged-00000005.pt")
        assert torch.equal(batch["images"], caught.value.batch[0]) and batch["target"].shape == (4, *SIZE)
        last = CheckpointFolder(tmp_path).newest()  # the weights from before the bad step
        assert last["epoch"] == 1 and last["step"] == 1
        assert all(tensor.isfinite().all() for tensor in last["model"].values())

    def test_images_that_are_not_finite(self):
        class Broken(Stripes):
            def __getitem__(self, index):
                image, mask = super().__getitem__(index)
                return image / 0, mask

        with pytest.raises(TrainingDiverged, match="images hold values that are not finite: mend the data"):
            fit(network(), Broken(), epochs=1)


def test_the_stop_button_saves_and_leaves(whole, tmp_path):
    class Interrupts(Stripes):
        asked = 0

        def __getitem__(self, index):
            self.asked += 1
            if self.asked == 18:
                os.kill(os.getpid(), signal.SIGINT)
            return super().__getitem__(index)

    settings = {"epochs": 4, "batch_size": 4, "lr": 0.01, "folder": tmp_path}
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(TrainingInterrupted, match="Stopped in epoch 2 after 1 steps.*resume=True"):
        fit(network(), Interrupts(), VAL, **settings)
    assert signal.getsignal(signal.SIGINT) is before
    resumed = network(seed=2)
    fit(resumed, TRAIN, VAL, resume=True, **settings)
    assert same_weights(resumed, whole[0])


def test_evaluate_adds_up_over_batches_and_leaves_the_model_as_it_was():
    model = network().train()
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    by_one, by_three = evaluate(model, VAL), evaluate(model, VAL, batch_size=3)
    assert torch.equal(by_one.matrix, by_three.matrix)
    assert model.training and all(torch.equal(weights[name], tensor) for name, tensor in model.state_dict().items())
    expected = ConfusionMatrix(3)
    for image, mask in (VAL[i] for i in range(len(VAL))):
        with torch.no_grad():
            expected.update(model.eval()(image[None]).argmax(1), mask[None])
    assert torch.equal(by_one.matrix, expected.matrix)


def test_it_trains_in_training_mode_whatever_mode_the_model_comes_in(whole):
    model = network().eval()
    fit(model, TRAIN, VAL, epochs=4, batch_size=4, lr=0.01)
    assert same_weights(model, whole[0])


@pytest.mark.parametrize("epoch", [2, 4])
def test_a_kill_before_the_row_is_logged_loses_no_row(whole, tmp_path, monkeypatch, epoch):
    def breaks(self, history):
        if len(history.rows) == epoch:
            raise Stop
        history.write_csv(self.csv)

    settings = {"epochs": 4, "batch_size": 4, "lr": 0.01, "folder": tmp_path}
    with monkeypatch.context() as patch:
        patch.setattr("course_utils.training.logbook.Logbook.epoch", breaks)
        with pytest.raises(Stop):
            fit(network(), TRAIN, VAL, **settings)
    fit(network(), TRAIN, VAL, resume=True, **settings)
    assert (tmp_path / "log.csv").read_bytes() == (whole[2] / "log.csv").read_bytes()
