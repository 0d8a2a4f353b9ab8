"""Skip mixer: the score maps of one trained net, each with a weight; their sum decides the class of every pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import traitlets
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from torch import Tensor

from course_utils.metrics import ConfusionMatrix
from course_utils.plotting import as_rgb, draw_image, draw_overlay, subplots
from course_utils.plotting.images import to_numpy
from course_utils.plotting.masks import void_path
from course_utils.widgets.base import Explorer, check_index, encode, read_assets

MOST_WEIGHT = 2.0
_VOID = 255
_MOST_MAPS = 6
_MOST_CLASSES = 40
_LONGEST_SIDE = 256


class SkipMixer(Explorer):
    """A slider for each score map of a trained FCN; the class of every pixel, and what it is worth, at once.

    Each map is upsampled to the image by bilinear interpolation in one step, as `F.interpolate` does it with
    align_corners=False, and multiplied by its weight; the highest sum is the pixel's class. A net that upsamples
    stage by stage comes close to "all weights 1", but is not the same sum to the last digit. Presets switch maps off:
    "FCN-32s" leaves the first alone. That is one net with parts of it silenced, not a net trained without them.

    From Python: `weights` (read or set it: a new dict), `row` and `col` (the cursor), `mixed`, `prediction`,
    `deciders`, `confusion_matrix()`.

    Args:
        image: (H, W, 3) uint8 array, or (3, H, W) float tensor in [0, 1], at most 256 × 256.
        scores: name → (K, h, w) score map, the coarsest first, such as {"conv7": …, "pool4": …, "pool3": …}.
        class_names: K names, at least two.
        colors: (K, 3) integers in 0…255, the colours of the classes.
        target: (H, W) class numbers, 255 for void; with it the IoU is told, and what is wrong is hatched.

    Raises:
        ValueError: an argument does not fit the others, or a score is not finite.
        TraitError: `weights` was set to something else than a number from 0 to 2 for each map.

    >>> coarse, fine = np.zeros((2, 1, 1)), np.stack([np.eye(2), 1 - np.eye(2)])
    >>> mixer = SkipMixer(np.zeros((2, 2, 3)), {"a": coarse, "b": fine}, ["x", "y"], np.zeros((2, 3), int))
    >>> mixer.prediction.tolist()
    [[0, 1], [1, 0]]
    >>> mixer.weights = {"a": 1, "b": 0}
    >>> mixer.prediction.tolist()
    [[0, 0], [0, 0]]
    """

    _esm = read_assets(
        "explorer.js",
        "metrics_painter_scores.js",
        "metrics_painter_drawing.js",
        "skip_mixer_sum.js",
        "skip_mixer_tables.js",
        "skip_mixer.js",
    )
    _css = read_assets("explorer.css", "skip_mixer.css")

    weights = traitlets.Dict().tag(sync=True)
    row = traitlets.Int().tag(sync=True)
    col = traitlets.Int().tag(sync=True)
    _maps = traitlets.List().tag(sync=True)
    _presets = traitlets.Dict().tag(sync=True)
    _class_names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _palette = traitlets.Unicode().tag(sync=True)
    _truth = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        image: Any,
        scores: Mapping[str, Any],
        class_names: Sequence[str],
        colors: Any,
        target: Any | None = None,
    ) -> None:
        photo = as_rgb(image)
        self.class_names = _check_names(class_names)
        self.scores = _check_scores(scores, len(self.class_names))
        self.colors = _check_colors(colors, len(self.class_names))
        self._size = _check_size(photo)
        self.target = None if target is None else _check_target(target, self._size, len(self.class_names))
        self._large = {name: self._enlarge(values) for name, values in self.scores.items()}
        super().__init__(
            photo,
            weights=dict.fromkeys(self.scores, 1.0),
            row=self._size[0] // 2,
            col=self._size[1] // 2,
            _maps=[
                {"name": name, "rows": values.shape[1], "cols": values.shape[2], "data": encode(values, "float32")}
                for name, values in self.scores.items()
            ],
            _presets=_presets(self.scores, self._size),
            _class_names=self.class_names,
            _palette=encode(self.colors, "uint8"),
            _truth="" if target is None else encode(self.target, "uint8"),
        )

    @property
    def mixed(self) -> np.ndarray:
        """(K, H, W) weighted sum of the maps."""
        return self._mix(self.weights).numpy()

    @property
    def prediction(self) -> np.ndarray:
        """(H, W) int64: the class with the highest sum; of equal ones the first."""
        return self.mixed.argmax(0)

    @property
    def deciders(self) -> dict[str, str]:
        """Maps without which the cursor's pixel would be of another class: name → that class.

        Empty if it stays the same without any single one, and if fewer than two maps have a weight.
        """
        on = [name for name, weight in self.weights.items() if weight]
        if len(on) < 2:
            return {}
        winner = self.class_names[self.prediction[self.row, self.col]]
        without = {name: self._winner(self.weights | {name: 0.0}) for name in on}
        return {name: other for name, other in without.items() if other != winner}

    def confusion_matrix(self) -> ConfusionMatrix:
        """The counts of the prediction against the target.

        Raises:
            ValueError: there is no target.
        """
        if self.target is None:
            raise ValueError("this mixer has no target to compare with; give it one: SkipMixer(…, target=mask).")
        matrix = ConfusionMatrix(len(self.class_names), _VOID)
        return matrix.update(torch.tensor(self.prediction), torch.tensor(self.target))

    def _enlarge(self, values: np.ndarray) -> Tensor:
        maps = torch.tensor(values, dtype=torch.float64)[None]
        return F.interpolate(maps, size=self._size, mode="bilinear", align_corners=False)[0]

    def _mix(self, weights: Mapping[str, float]) -> Tensor:
        total = torch.zeros(len(self.class_names), *self._size, dtype=torch.float64)
        for name, values in self._large.items():
            total += weights[name] * values
        return total

    def _winner(self, weights: Mapping[str, float]) -> str:
        return self.class_names[int(self._mix(weights)[:, self.row, self.col].argmax())]

    @traitlets.validate("weights")
    def _valid_weights(self, proposal: dict) -> dict[str, float]:
        weights = proposal["value"]
        if set(weights) != set(self.scores):
            raise traitlets.TraitError(
                f"weights has the maps {', '.join(map(repr, weights))}; expected {', '.join(map(repr, self.scores))}."
            )
        for name, weight in weights.items():
            if not isinstance(weight, (int, float)) or not 0 <= weight <= MOST_WEIGHT:
                raise traitlets.TraitError(
                    f"the weight of {name!r} is {weight!r}; expected a number from 0 to {MOST_WEIGHT:g}."
                )
        return {name: float(weights[name]) for name in self.scores}

    @traitlets.validate("row")
    def _known_row(self, proposal: dict) -> int:
        return check_index("row", proposal["value"], self._size[0])

    @traitlets.validate("col")
    def _known_col(self, proposal: dict) -> int:
        return check_index("col", proposal["value"], self._size[1])

    def describe(self) -> str:
        height, width = self._size
        here = self.class_names[self.prediction[self.row, self.col]]
        worth = "" if self.target is None else f" Mean IoU with the target: {self.confusion_matrix().mean_iu():.3f}."
        return (
            f"Skip mixer: {len(self.scores)} score maps of one trained net on an image of {height} × {width} pixels, "
            f"mixed as {self._formula()}.{worth} Row {self.row}, column {self.col} is {here!r}."
        )

    def poster(self) -> Figure:
        height, width = self._size
        figure, (photo, labels) = subplots(1, 2, width=900, height=60 + 370 * height / width, width_ratios=[1, 1.3])
        draw_image(photo, self.image, "Image")
        title = f"Class of every pixel: {self._formula()}"
        draw_overlay(labels, self.image, self.prediction, self.colors, self.class_names, title, alpha=0.6)
        if self.target is not None:
            wrong = (self.target != _VOID) & (self.target != self.prediction)
            patch = PathPatch(void_path(wrong.astype(np.int64), 1), facecolor="none", edgecolor="black", linewidth=0)
            patch.set_hatch(r"\\\\\\")
            labels.add_patch(patch)
            photo.set_title(f"Image. Mean IoU {self.confusion_matrix().mean_iu():.3f}; hatched: wrong")
        for ax in (photo, labels):
            ax.plot(self.col, self.row, marker="s", markerfacecolor="none", markeredgecolor="white", markeredgewidth=3)
            ax.plot(self.col, self.row, marker="s", markerfacecolor="none", markeredgecolor="#D55E00")
        return figure

    def _formula(self) -> str:
        terms = [name if weight == 1 else f"{weight:.2f} · {name}" for name, weight in self.weights.items() if weight]
        return " + ".join(terms) or "nothing"


def _presets(scores: Mapping[str, np.ndarray], size: tuple[int, int]) -> dict[str, list[float]]:
    """The first map alone, the first two, and so on: as FCN-32s, FCN-16s … use them, if the strides say so."""
    names = list(scores)
    strides = [(size[0] / values.shape[1], size[1] / values.shape[2]) for values in scores.values()]
    whole = all(down == across and down == int(down) for down, across in strides)
    titles = [f"FCN-{down:g}s" if whole else " + ".join(names[: i + 1]) for i, (down, _) in enumerate(strides)]
    if len(set(titles)) < len(titles):
        titles = [" + ".join(names[: i + 1]) for i in range(len(names))]
    return {title: [1.0] * (i + 1) + [0.0] * (len(names) - i - 1) for i, title in enumerate(titles)}


def _check_names(class_names: Sequence[str]) -> list[str]:
    if isinstance(class_names, str) or not 2 <= len(set(class_names)) == len(class_names) <= _MOST_CLASSES:
        raise ValueError(f"class_names is {class_names!r}; expected a list of 2 to {_MOST_CLASSES} different names.")
    return list(class_names)


def _check_scores(scores: Mapping[str, Any], count: int) -> dict[str, np.ndarray]:
    if not isinstance(scores, Mapping) or not 1 <= len(scores) <= _MOST_MAPS:
        kind = f"a dict of {len(scores)}" if isinstance(scores, Mapping) else type(scores).__name__
        raise ValueError(f"scores is {kind}; expected a dict of 1 to {_MOST_MAPS} maps: {{'conv7': scores, …}}.")
    checked = {}
    for name, values in scores.items():
        array = to_numpy(values).astype(np.float32)
        if array.ndim != 3 or array.shape[0] != count or not array.size:
            raise ValueError(
                f"scores[{name!r}] has shape {array.shape}; {count} class_names need (K, h, w) = ({count}, h, w). "
                "Of a batch take one: scores[0]."
            )
        if not np.isfinite(array).all():
            bad = int((~np.isfinite(array)).sum())
            raise ValueError(f"scores[{name!r}] holds {bad} NaN or infinite values of {array.size}.")
        checked[name] = array
    return checked


def _check_colors(colors: Any, count: int) -> np.ndarray:
    array = to_numpy(colors)
    whole = np.issubdtype(array.dtype, np.integer)
    if array.shape != (count, 3) or not whole or array.min() < 0 or array.max() > 255:
        raise ValueError(
            f"colors is {array.dtype} of shape {array.shape}; expected whole numbers in 0…255, ({count}, 3)."
        )
    return array.astype(np.uint8)


def _check_size(photo: np.ndarray) -> tuple[int, int]:
    height, width = photo.shape[:2]
    if not 1 <= min(height, width) <= max(height, width) <= _LONGEST_SIDE:
        raise ValueError(
            f"image is {height} × {width} pixels; expected 1 to {_LONGEST_SIDE} on each side: the browser sums anew "
            "for every move of a slider."
        )
    return height, width


def _check_target(target: Any, size: tuple[int, int], count: int) -> np.ndarray:
    labels = to_numpy(target)
    if labels.shape != size or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"target is {labels.dtype} of shape {labels.shape}; expected integers of the image's {size}.")
    wrong = ((labels < 0) | (labels >= count)) & (labels != _VOID)
    if wrong.any():
        raise ValueError(
            f"target has labels {np.unique(labels[wrong]).tolist()}; expected 0…{count - 1}, or {_VOID} for void."
        )
    return labels.astype(np.int64)
