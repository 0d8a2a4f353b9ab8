"""What is wrong with a model or a data set is said before the first step, or at the first batch."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.utils.data import Dataset, default_collate


def fact(dataset: Dataset, name: str) -> Any:
    """An attribute such as `classes` of a data set, or of the one inside a Subset or a ConcatDataset.

    Raises TypeError if there is none.
    """
    inner: Any = dataset
    while not hasattr(inner, name):
        inner = inner.datasets[0] if hasattr(inner, "datasets") else getattr(inner, "dataset", None)
        if inner is None:
            raise TypeError(
                f"data: {type(dataset).__name__} has no attribute {name!r}. Use a data set of load_dataset or a Subset "
                "of one, or give yours the attributes `classes` and `ignore_index`."
            )
    return getattr(inner, name)


def check_not_empty(argument: str, dataset: Dataset) -> None:
    if len(dataset) == 0:
        raise ValueError(f"{argument}: {type(dataset).__name__} has no samples. Check its folder, split and filters.")


def check_labelled(argument: str, dataset: Dataset) -> None:
    """Refuse a split whose labels are not public: all of it is void, nothing can be learned from it or scored on it.

    A data set says so by `labelled = False`; parts of a ConcatDataset are all looked at, Subsets from outside.
    """
    if getattr(dataset, "labelled", True) is False:
        split = f" {dataset.split!r}" if hasattr(dataset, "split") else ""
        raise ValueError(
            f"{argument}: the labels of the split{split} of {type(dataset).__name__} are not public, its masks are "
            'void everywhere. Use a split with labels, such as "val".'
        )
    for part in getattr(dataset, "datasets", None) or [getattr(dataset, "dataset", None)]:
        if part is not None:
            check_labelled(argument, part)


def check_run(train: Dataset, val: Dataset | None, batch_size: int, processes: int) -> None:
    """Check what can be known of the data before the first batch."""
    check_not_empty("train", train)
    check_labelled("train", train)
    if val is not None:
        check_not_empty("val", val)
        check_labelled("val", val)
        ours, theirs = tuple(fact(train, "classes")), tuple(fact(val, "classes"))
        if ours != theirs:
            raise ValueError(f"val: its classes {theirs} are not those of train, {ours}. Use two splits of one set.")
    if not 1 <= batch_size <= len(train):
        raise ValueError(f"batch_size: expected 1 to {len(train)}, the number of samples in train, got {batch_size}.")
    if batch_size % processes:
        raise ValueError(f"batch_size: {batch_size} images can't be shared evenly by {processes} processes.")


def check_settings(*, seed: int, clip: float | None, **counts: int | None) -> None:
    """Counts must be 1 or more, a norm above 0, a seed from 0 to 2**63 - 1; None stands for "not used"."""
    for name, count in counts.items():
        if count is not None and count < 1:
            raise ValueError(f"{name}: expected 1 or more, got {count}.")
    if clip is not None and not clip > 0:
        raise ValueError(f"clip: expected a norm above 0, got {clip}. Leave it out to leave gradients as they are.")
    if not 0 <= seed < 2**63:
        raise ValueError(f"seed: expected a whole number from 0 to 2**63 - 1, got {seed}.")


def check_channels(model: nn.Module, images: Tensor) -> None:
    """Compare the first convolution's input channels with those of a batch."""
    expected = next((layer.in_channels for layer in model.modules() if isinstance(layer, nn.Conv2d)), None)
    if expected is not None and images.shape[1] != expected:
        raise ValueError(
            f"model: its first convolution reads {expected} channels, but the images have {images.shape[1]}. Build the "
            f"model with in_channels={images.shape[1]}, or change the images in a transform."
        )


def check_logits(logits: Tensor, target: Tensor, num_classes: int) -> None:
    """Logits must be (N, K, H, W) for a target (N, H, W) and K classes."""
    wanted = (len(target), num_classes, *target.shape[1:])
    if tuple(logits.shape) == wanted:
        return
    fix = "A model must return logits of the target's size."
    if logits.ndim == 4 and logits.shape[1] != num_classes:
        fix = (
            f"The model has {logits.shape[1]} classes, the data {num_classes}: build it with num_classes={num_classes}."
        )
    elif logits.ndim == 4 and logits.shape[2:] != target.shape[1:]:
        fix = "The model's output has another size than its input: resize its logits, or pad the input."
    raise ValueError(f"model: expected logits of shape {wanted}, got {tuple(logits.shape)}. {fix}")


def collate(samples: list[tuple[Tensor, ...]]) -> list[Tensor]:
    """Stack samples to a batch. Raises ValueError if their sizes differ."""
    sizes = {tuple(image.shape) for image, *_ in samples}
    if len(sizes) > 1:
        raise ValueError(
            f"data: the images of one batch differ in size: {sorted(sizes)}. Bring them to one size with a transform "
            "(train_transform(size), eval_transform(size)), or evaluate them one by one with batch_size=1."
        )
    return default_collate(samples)


def main_output(outputs: Any) -> Tensor:
    """The logits among what a model returns: a tensor, a named tuple with `.out` first, or a dict with "out"."""
    if isinstance(outputs, Tensor):
        return outputs
    if isinstance(outputs, dict) and "out" in outputs:
        return outputs["out"]
    if hasattr(outputs, "out"):
        return outputs.out
    raise TypeError(f"model: expected it to return logits or something with `out`, got {type(outputs).__name__}.")
