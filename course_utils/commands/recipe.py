"""What a run of `course train` was made of, in plain values: enough to build its model and its data again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torchvision.transforms import v2

from course_utils import losses
from course_utils.data import load_dataset
from course_utils.data.dataset import SegmentationDataset
from course_utils.data.names import unknown
from course_utils.data.transforms import train_transform
from course_utils.models import build_model
from course_utils.training import CheckpointFolder, load_checkpoint
from course_utils.training.run import check_weights_fit

LOSSES = {
    "cross_entropy": losses.cross_entropy,
    "dice": losses.dice_loss,
    "focal": losses.focal_loss,
    "jaccard": losses.jaccard_loss,
    "lovasz": losses.lovasz_softmax,
    "ohem": losses.ohem_cross_entropy,
}
# Images are scaled from [0, 1] to [-1, 1], as EfficientNet-Lite0 was trained.
_MEAN = _STD = 0.5


@dataclass(frozen=True)
class Recipe:
    """A model and a data set by name, with their options, and the size of the crops that it is trained on."""

    model: str
    data: str
    pretrained: bool
    crop: list[int]  # rows, columns
    scale: list[float]  # smallest and largest random scale; 1 fits the whole image into the crop
    data_options: dict[str, Any] = field(default_factory=dict)
    model_options: dict[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        return asdict(self)

    def train_set(self) -> SegmentationDataset:
        """Random scale, crop, mirror and colours."""
        dataset = load_dataset(self.data, "train", **self.data_options)
        dataset.transform = train_transform(
            tuple(self.crop),
            scale=tuple(self.scale),
            jitter=0.3 if dataset.channels == 3 else 0.0,  # brightness and hue are those of colour photos
            mean=[_MEAN] * dataset.channels,
            std=[_STD] * dataset.channels,
        )
        return dataset

    def whole_images(self, split: str) -> SegmentationDataset:
        """Every image as it is, at its full size."""
        dataset = load_dataset(self.data, split, **self.data_options)
        dataset.transform = v2.Normalize(mean=[_MEAN] * dataset.channels, std=[_STD] * dataset.channels)
        return dataset

    def build_model(self, dataset: SegmentationDataset) -> nn.Module:
        options = {"pretrained": True} if self.pretrained else {}
        return build_model(self.model, len(dataset.classes), dataset.channels, **options | self.model_options)


def normalized(image: Tensor) -> Tensor:
    """An image (C, H, W) in [0, 1], scaled as in training."""
    return (image - _MEAN) / _STD


def model_options(pairs: list[str]) -> dict[str, Any]:
    """Options of a network from words such as "width=16": numbers, true, false and lists as in JSON, the rest is text.

    >>> model_options(["width=16", "padding=same", "multi_grid=[1, 2, 4]"])
    {'width': 16, 'padding': 'same', 'multi_grid': [1, 2, 4]}

    Raises ValueError for a word without "=", and for a name that comes twice.
    """
    options: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not (name and equals and text) or name in options:
            raise ValueError(f"set: expected NAME=VALUE, each name once, got {pair!r}. For example: --set width=16.")
        try:
            options[name] = json.loads(text)
        except json.JSONDecodeError:
            options[name] = text
    return options


def loss_named(names: str) -> Callable[[Any, Tensor], Tensor]:
    """The loss of a name such as "dice", or the sum of several: "cross_entropy+dice"."""
    parts = names.split("+")
    for name in parts:
        if name not in LOSSES:
            raise unknown("loss", name, list(LOSSES))
    functions = [LOSSES[name] for name in parts]

    def total(logits: Any, target: Tensor) -> Tensor:
        return sum(function(logits, target) for function in functions)

    total.__qualname__ = names
    return total


def check_same_recipe(recipe: Recipe, folder: Path) -> None:
    """Raise ValueError if the run in a folder was made by another recipe; its data may have moved.

    Raises CheckpointError if all its checkpoints are damaged. A folder without any is right.
    """
    state = CheckpointFolder(folder, say=lambda text: None).newest()  # `fit` says what is amiss
    if state is None:
        return
    then, now = _recipe(state, folder).plain(), recipe.plain()
    changed = [
        f"{name} was {then[name]!r}, is {now[name]!r}"
        for name in now
        if name != "data_options" and then[name] != now[name]
    ]
    if changed:
        raise ValueError(
            f"resume: the run in {folder} had other settings: {'; '.join(changed)}. Use the same, or start a new run "
            "in another --folder."
        )


def trained(run: Path) -> tuple[Recipe, nn.Module, str]:
    """(recipe, model in evaluation mode, name of the file) from the best checkpoint of a run, or from a file.

    Raises CheckpointError for a missing, damaged or foreign checkpoint, ValueError for one that `course train` did not
    make.
    """
    path = CheckpointFolder(run).best() if run.is_dir() else run
    state = load_checkpoint(path)
    recipe = _recipe(state, path)
    about = state["about"]
    model = build_model(recipe.model, len(about["classes"]), about["channels"], **recipe.model_options)
    check_weights_fit(model, state["model"], str(path))
    model.load_state_dict(state["model"])
    return recipe, model.eval(), path.name


def _recipe(state: Any, path: Path) -> Recipe:
    about = state.get("about") if isinstance(state, dict) else None
    if not isinstance(about, dict) or not {"recipe", "classes", "channels"} <= about.keys():
        raise ValueError(f"{path} does not say how its model was built: it was not made by `course train`.")
    try:
        return Recipe(**about["recipe"])
    except TypeError as error:
        raise ValueError(f"{path} was made by another version of `course train`: {error}.") from error
