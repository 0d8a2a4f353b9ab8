"""The curves that grow while a network trains."""

from __future__ import annotations

import pytest

from course_utils.plotting import LiveCurve, draw_history
from course_utils.training import History


def history_of(scores: list[float], *, validated: bool = True) -> History:
    history = History()
    for epoch, score in enumerate(scores, start=1):
        row = {"epoch": epoch, "step": 3 * epoch, "train_loss": 2 / epoch, "train_mean_iu": score / 2}
        history.add(row | ({"val_loss": 1 / epoch, "val_mean_iu": score} if validated else {}))
    return history


class Handle:
    """Stands for the place in the notebook: keeps what is shown there."""

    def __init__(self):
        self.shown = []

    def display(self, picture, *, display_id):
        assert display_id is True
        self.shown.append(picture)
        return self

    def update(self, picture):
        self.shown.append(picture)


@pytest.mark.parametrize(("every", "drawn"), [(1, [1, 2, 3, 4, 5, 6]), (3, [1, 3, 6])])
def test_one_picture_is_replaced(monkeypatch, every, drawn):
    handle = Handle()
    monkeypatch.setattr("course_utils.plotting.live_curve.display", handle.display)
    curve, scores = LiveCurve(every), [0.1, 0.4, 0.3, 0.2, 0.5, 0.45]
    for epochs in range(1, 7):
        curve(history_of(scores[:epochs]))
    told = [repr(picture) for picture in handle.shown]
    assert [int(text.split(" over ")[1].split()[0]) for text in told] == drawn
    assert told[-1] == (
        "Curves of loss and mean IoU over 6 epochs: training loss 0.33, validation loss 0.17, mean IoU 0.45, the best "
        "0.50 in epoch 5."
    )
    assert "<img" in handle.shown[-1]._repr_html_()


def test_the_curves_show_the_log():
    history = history_of([0.1, 0.4, 0.3])
    left, right = draw_history(history).axes
    lines = {line.get_label(): list(line.get_ydata()) for line in right.lines}
    assert lines["training"] == history.column("train_mean_iu")
    assert lines["validation"] == [0.1, 0.4, 0.3] and lines["best"] == [0.4]
    assert [list(line.get_ydata()) for line in left.lines] == [history.column("train_loss"), history.column("val_loss")]
    assert (left.get_xlabel(), left.get_ylabel(), right.get_ylabel()) == ("epoch", "loss", "mean IoU")


def test_without_validation_there_is_one_curve():
    left, right = draw_history(history_of([0.1, 0.4], validated=False)).axes
    assert len(left.lines) == len(right.lines) == 1
