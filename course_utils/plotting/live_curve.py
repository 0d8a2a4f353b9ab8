"""Curves that grow while a network trains."""

from __future__ import annotations

from typing import Any

from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from course_utils.plotting.display import picture_of
from course_utils.plotting.style import OKABE_ITO, subplots


class LiveCurve:
    """Draws loss and mean IoU while a network trains, in one place: `fit(…, on_epoch=[LiveCurve()])`.

    The picture appears with the first epoch and is replaced after each `every` epochs: a drawing takes as long as many
    steps of a small network. Its alt text tells the last and the best numbers. `fig` is the newest figure.
    """

    def __init__(self, every: int = 1) -> None:
        self.every = every
        self.fig: Figure | None = None
        self._handle: Any = None

    def __call__(self, history: Any) -> None:
        """Draw a `course_utils.training.History`, if it is time."""
        if self._handle is not None and len(history.rows) % self.every:
            return
        self.fig = draw_history(history)
        picture = picture_of(self.fig, _told(history))
        if self._handle is None:
            self._handle = display(picture, display_id=True)
        else:
            self._handle.update(picture)


def draw_history(history: Any) -> Figure:
    """A figure of a `History`: loss by epoch at the left, mean IoU by epoch at the right, the best epoch marked."""
    fig, (left, right) = subplots(1, 2, width=800, height=280)
    epochs = history.column("epoch")
    validated = "val_loss" in history.rows[0]
    for ax, name, label in ((left, "loss", "loss"), (right, "mean_iu", "mean IoU")):
        _draw(ax, epochs, history.column(f"train_{name}"), "training")
        if validated:
            _draw(ax, epochs, history.column(f"val_{name}"), "validation")
        ax.set(xlabel="epoch", ylabel=label)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.set_ylim(bottom=0)
    right.set_ylim(0, 1)
    if validated:
        best = history.best
        mark = {"marker": "o", "markersize": 9, "markerfacecolor": "none", "linestyle": "none"}
        right.plot(best["epoch"], best["val_mean_iu"], color=OKABE_ITO["black"], label="best", **mark)
    right.legend(loc="lower right")
    return fig


def _draw(ax: Axes, epochs: list[float], values: list[float], label: str) -> None:
    ax.plot(epochs, values, label=label, marker="." if len(epochs) < 12 else "")


def _told(history: Any) -> str:
    last = history.rows[-1]
    text = f"Curves of loss and mean IoU over {len(history.rows)} epochs: training loss {last['train_loss']:.2f}"
    if "val_loss" in last:
        best = history.best
        text += f", validation loss {last['val_loss']:.2f}, mean IoU {last['val_mean_iu']:.2f}"
        text += f", the best {best['val_mean_iu']:.2f} in epoch {int(best['epoch'])}"
    return f"{text}."
