"""Metrics painter: paint a prediction over a truth, and see what every score says to each stroke."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch

from course_utils.metrics import ConfusionMatrix, boundary_f1
from course_utils.plotting import as_rgb, draw_mask, subplots
from course_utils.plotting.images import to_numpy
from course_utils.plotting.masks import VOID_COLOR, void_path
from course_utils.widgets.base import Explorer, check_choice, encode, read_assets

ABSENT = ("nan", "zero", "one")
"""Policies for classes without a pixel to judge; see `course_utils.metrics.ConfusionMatrix`."""

_VOID = 255  # what the browser calls void, whatever ignore_index is
_MOST_CLASSES = 40
_LONGEST_SIDE = 256
_MOST_NUMBERED_CLASSES = 9


def _to_text(prediction: np.ndarray, painter: MetricsPainter) -> str:
    return encode(painter._browser_labels(prediction), "uint8")


def _from_text(text: str, painter: MetricsPainter) -> np.ndarray:
    labels = np.frombuffer(base64.b64decode(text), np.uint8).astype(np.int64).reshape(painter.truth.shape)
    return np.where(labels == _VOID, painter.ignore_index, labels)


class MetricsPainter(Explorer):
    """A prediction to paint on, the truth beside it, and all scores of the one against the other.

    Drag, or use the keys that stand below the picture: the confusion matrix and the scores follow the brush. What
    is wrong is hatched and outlined; void pixels are hatched the other way and never scored. From Python:
    `prediction` (read it or set it), `absent` (the policy for absent classes: "nan", "zero" or "one"), `scores()`.

    Args:
        truth: (H, W) integers, class numbers 0…K-1 or `ignore_index`; array or tensor, at most 256 × 256.
        classes: K names.
        palette: (K, 3) uint8, the colours of the classes.
        prediction: (H, W) class numbers to begin with; by default all pixels are of the truth's commonest class.
        image: (H, W, 3) uint8 array or (3, H, W) float tensor in [0, 1], drawn under both maps.
        ignore_index: the label of void in the truth.
        tolerance: of the boundary F1, in pixels.

    `prediction` is an int64 array that cannot be written to: assign a new one to change the picture.
    `torch.tensor(painter.prediction)` is what `course_utils.metrics` takes.

    Raises:
        ValueError: an argument does not fit the others.
        TraitError: `prediction` or `absent` was set to something that cannot be drawn.

    >>> truth = np.array([[0, 0, 0, 1], [0, 0, 1, 255]])
    >>> painter = MetricsPainter(truth, ["road", "car"], [[66, 66, 72], [244, 116, 8]])
    >>> painter.prediction.tolist(), painter.scores()["mean_iu"]
    ([[0, 0, 0, 0], [0, 0, 0, 0]], 0.357...)
    """

    _esm = read_assets(
        "explorer.js",
        "metrics_painter_scores.js",
        "metrics_painter_drawing.js",
        "metrics_painter_tables.js",
        "metrics_painter.js",
    )
    _css = read_assets("explorer.css", "metrics_painter.css")

    prediction = traitlets.TraitType().tag(sync=True, to_json=_to_text, from_json=_from_text)
    absent = traitlets.Unicode("nan").tag(sync=True)
    _truth = traitlets.Unicode().tag(sync=True)
    _start = traitlets.Unicode().tag(sync=True)
    _classes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _palette = traitlets.Unicode().tag(sync=True)
    _tolerance = traitlets.Float().tag(sync=True)
    _has_photo = traitlets.Bool().tag(sync=True)

    def __init__(
        self,
        truth: Any,
        classes: Sequence[str],
        palette: Any,
        *,
        prediction: Any | None = None,
        image: Any | None = None,
        ignore_index: int = 255,
        tolerance: float = 2.0,
    ) -> None:
        self.classes = _check_names(classes)
        self.palette = _check_palette(palette, len(classes))
        self.ignore_index = ignore_index
        self.truth = _check_truth(truth, len(classes), ignore_index)
        if not 0 <= tolerance < math.inf:
            raise ValueError(f"tolerance is {tolerance}; expected a number of pixels, 0 or more.")
        self.tolerance = float(tolerance)
        photo = self._colored(self.truth) if image is None else as_rgb(image)
        if photo.shape[:2] != self.truth.shape:
            raise ValueError(
                f"image is {_size(photo)} pixels but truth is {_size(self.truth)}; resize the image to the truth."
            )
        first = self._commonest() if prediction is None else self._check_prediction(prediction, ValueError)
        super().__init__(
            photo,
            prediction=first,
            _truth=encode(self._browser_labels(self.truth, void=self.truth == ignore_index), "uint8"),
            _start=_to_text(first, self),
            _classes=self.classes,
            _palette=encode(self.palette, "uint8"),
            _tolerance=self.tolerance,
            _has_photo=image is not None,
        )

    def confusion_matrix(self) -> ConfusionMatrix:
        """The counts of the prediction as it is painted now."""
        matrix = ConfusionMatrix(len(self.classes), self.ignore_index)
        return matrix.update(torch.tensor(self.prediction), torch.tensor(self.truth))

    def scores(self) -> dict[str, Any]:
        """All that the browser shows, computed by `course_utils.metrics` under the policy `absent`.

        acc, acc_cls, mean_iu and fw_iu are numbers; iu, dice, precision, recall and boundary_f1 are dicts,
        name of the class → number.
        """
        matrix = self.confusion_matrix()
        outlines = boundary_f1(
            torch.tensor(self.prediction),
            torch.tensor(self.truth),
            len(self.classes),
            tolerance=self.tolerance,
            ignore_index=self.ignore_index,
        )
        of_classes = {
            "iu": matrix.iu(self.absent),
            "dice": matrix.dice(self.absent),
            "precision": matrix.precision(self.absent),
            "recall": matrix.recall(self.absent),
            "boundary_f1": outlines,
        }
        return {
            "acc": matrix.acc(),
            "acc_cls": matrix.acc_cls(self.absent),
            "mean_iu": matrix.mean_iu(self.absent),
            "fw_iu": matrix.fw_iu(),
            **{name: dict(zip(self.classes, values.tolist(), strict=True)) for name, values in of_classes.items()},
        }

    @property
    def wrong(self) -> np.ndarray:
        """(H, W) bool: scored pixels at which the prediction is not the truth."""
        return (self.truth != self.ignore_index) & (self.truth != self.prediction)

    @traitlets.validate("prediction")
    def _valid_prediction(self, proposal: dict) -> np.ndarray:
        return self._check_prediction(proposal["value"], traitlets.TraitError)

    @traitlets.validate("absent")
    def _known_policy(self, proposal: dict) -> str:
        return check_choice("absent", proposal["value"], ABSENT)

    def _check_prediction(self, prediction: Any, error: type[Exception]) -> np.ndarray:
        """Return an int64 copy that cannot be written to."""
        labels = to_numpy(prediction)
        if labels.shape != self.truth.shape or not np.issubdtype(labels.dtype, np.integer):
            raise error(
                f"prediction is {labels.dtype} of shape {labels.shape}; expected integers of the truth's shape, "
                f"{self.truth.shape}. Scores of the classes become class numbers by argmax over the classes."
            )
        count = len(self.classes)
        in_void = (labels == self.ignore_index) & (self.truth == self.ignore_index)
        wrong = ((labels < 0) | (labels >= count)) & ~in_void
        if wrong.any():
            raise error(
                f"prediction has labels {np.unique(labels[wrong]).tolist()} in {int(wrong.sum())} pixels; expected "
                f"0…{count - 1}, since {count} classes are named. Only void pixels of the truth may hold "
                f"{self.ignore_index}."
            )
        labels = labels.astype(np.int64)
        labels.flags.writeable = False
        return labels

    def _commonest(self) -> np.ndarray:
        scored = self.truth[self.truth != self.ignore_index]
        commonest = np.bincount(scored, minlength=1).argmax()
        return np.full(self.truth.shape, commonest)

    def _browser_labels(self, labels: np.ndarray, void: np.ndarray | None = None) -> np.ndarray:
        """Labels with void as the browser calls it; `void`: where (default: where there is no class's number)."""
        void = (labels < 0) | (labels >= len(self.classes)) if void is None else void
        return np.where(void, _VOID, labels)

    def _colored(self, labels: np.ndarray) -> np.ndarray:
        colors = self.palette[np.where(labels == self.ignore_index, 0, labels)]
        colors[labels == self.ignore_index] = VOID_COLOR
        return colors

    def describe(self) -> str:
        matrix = self.confusion_matrix()
        scored = int(matrix.matrix.sum())
        return (
            f"Metrics painter: a truth of {_size(self.truth)} pixels with {len(self.classes)} classes, and a "
            f"prediction of it that is wrong in {int(self.wrong.sum())} of {scored} scored pixels "
            f"({self.truth.size - scored} are void). acc {matrix.acc():.3f}, "
            f"acc_cls {matrix.acc_cls(self.absent):.3f}, mean_iu {matrix.mean_iu(self.absent):.3f}, "
            f"fw_iu {matrix.fw_iu():.3f}."
        )

    def poster(self) -> Figure:
        height, width = self.truth.shape
        figure, (left, middle, right) = subplots(1, 3, width=900, height=110 + 280 * max(height / width, 0.75))
        options = {"ignore_index": self.ignore_index, "legend": False}
        draw_mask(left, self.truth, self.palette, self.classes, "Truth", **options)
        draw_mask(middle, self.prediction, self.palette, self.classes, "Prediction: hatched where wrong", **options)
        errors = void_path(self.wrong.astype(np.int64), 1)
        middle.add_patch(PathPatch(errors, facecolor="none", edgecolor="black", hatch=r"\\\\\\", linewidth=0))
        self._draw_matrix(right)
        return figure

    def _draw_matrix(self, ax: Axes) -> None:
        counts = self.confusion_matrix().matrix.numpy()
        shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
        ax.imshow(shares, cmap="Blues", vmin=0, vmax=1.6)
        ax.set(title="Confusion matrix, in pixels", xlabel="prediction", ylabel="truth")
        ticks = np.arange(len(self.classes))
        ax.set_xticks(ticks, self.classes, rotation=90, fontsize=8)
        ax.set_yticks(ticks, self.classes, fontsize=8)
        if len(ticks) <= _MOST_NUMBERED_CLASSES:
            for (row, col), count in np.ndenumerate(counts):
                ax.text(col, row, str(count), ha="center", va="center", fontsize=7)


def _check_names(classes: Sequence[str]) -> list[str]:
    if isinstance(classes, str) or not 1 <= len(set(classes)) == len(classes) <= _MOST_CLASSES:
        raise ValueError(f"classes is {classes!r}; expected a list of 1 to {_MOST_CLASSES} different names.")
    return list(classes)


def _check_palette(palette: Any, count: int) -> np.ndarray:
    colors = to_numpy(palette)
    if colors.shape != (count, 3):
        raise ValueError(
            f"palette has shape {colors.shape} for {count} classes; expected ({count}, 3), one colour each."
        )
    if not np.issubdtype(colors.dtype, np.integer) or colors.min() < 0 or colors.max() > 255:
        raise ValueError(
            f"palette is {colors.dtype} from {colors.min()} to {colors.max()}; expected whole numbers in 0…255."
        )
    return colors.astype(np.uint8)


def _check_truth(truth: Any, count: int, ignore_index: int) -> np.ndarray:
    labels = to_numpy(truth)
    if labels.ndim != 2 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"truth is {labels.dtype} of shape {labels.shape}; expected integers (H, W): one mask, not a batch."
        )
    height, width = labels.shape
    if not labels.size or max(height, width) > _LONGEST_SIDE:
        step = math.ceil(max(height, width) / _LONGEST_SIDE)
        raise ValueError(
            f"truth is {_size(labels)} pixels; expected 1 to {_LONGEST_SIDE} on each side, so that single pixels "
            f"can be painted. Cut a piece out, or take every {step}th pixel: truth[::{step}, ::{step}]."
        )
    wrong = ((labels < 0) | (labels >= count)) & (labels != ignore_index)
    if wrong.any():
        raise ValueError(
            f"truth has labels {np.unique(labels[wrong]).tolist()} in {int(wrong.sum())} pixels; expected "
            f"0…{count - 1}, since {count} classes are named, or {ignore_index} (ignore_index) for void."
        )
    return labels.astype(np.int64)


def _size(array: np.ndarray) -> str:
    return f"{array.shape[0]} × {array.shape[1]}"
