"""Losses that judge each class as a whole, by how far prediction and truth overlap.

Letters: P valid pixels of the whole batch; p (P, K) their probabilities (softmax); g (P, K) the truth, 1 at the true
class and 0 elsewhere. Each loss is a mean over the classes that occur in the truth: a class that is not there has no
overlap to improve, and its probabilities are pushed down by those of the others.
"""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.losses.checks import checked


def dice_loss(logits: Tensor, target: Tensor, *, ignore_index: int = 255) -> Tensor:
    """Soft Dice loss: 1 - 2 Σ p·g / (Σ p + Σ g), the mean over the classes in the target.

    Where every probability is 0 or 1 it is 1 minus the Dice coefficient.

    Source: Milletari, Navab & Ahmadi, *V-Net* (2016). Differs from it: several classes, and no squares in the
    denominator (as Sudre et al., 2017). Sums run over the batch, not over each image.

    Args:
        logits: (N, K, H, W).
        target: (N, H, W) int64, 0…K-1 or ignore_index.

    Raises TypeError or ValueError as `losses.checks.checked` says.

    >>> logits = torch.tensor([[9.0, 9.0, -9.0], [-9.0, -9.0, 9.0]]).view(1, 2, 1, 3)
    >>> dice_loss(logits, torch.tensor([[[0, 1, 1]]])).item()  # Dice is 2/3 for both classes
    0.333...
    """
    p, g = _probabilities_and_truth(logits, target, ignore_index)
    return _mean_over_classes(1 - 2 * (p * g).sum(0) / (p.sum(0) + g.sum(0)))


def jaccard_loss(logits: Tensor, target: Tensor, *, ignore_index: int = 255) -> Tensor:
    """Soft Jaccard (IoU) loss: 1 - Σ p·g / (Σ p + Σ g - Σ p·g), the mean over the classes in the target.

    Where every probability is 0 or 1 it is 1 minus the IoU.

    Source: Rahman & Wang, *Optimizing Intersection-Over-Union in Deep Neural Networks for Image Segmentation* (2016),
    for two classes.

    Args:
        logits: (N, K, H, W).
        target: (N, H, W) int64, 0…K-1 or ignore_index.

    Raises TypeError or ValueError as `losses.checks.checked` says.

    >>> logits = torch.tensor([[9.0, 9.0, -9.0], [-9.0, -9.0, 9.0]]).view(1, 2, 1, 3)
    >>> jaccard_loss(logits, torch.tensor([[[0, 1, 1]]])).item()  # IoU is 1/2 for both classes
    0.5...
    """
    p, g = _probabilities_and_truth(logits, target, ignore_index)
    intersection = (p * g).sum(0)
    return _mean_over_classes(1 - intersection / (p.sum(0) + g.sum(0) - intersection))


def lovasz_softmax(logits: Tensor, target: Tensor, *, ignore_index: int = 255) -> Tensor:
    """Lovász-softmax loss: the Lovász extension of the Jaccard loss, the mean over the classes in the target.

    For one class, sort the errors |g - p| from large to small. Let pixels go wrong one by one in this order; each adds
    something to the Jaccard loss 1 - IoU. The loss is the sum of errors times what their pixels add. Where every
    probability is 0 or 1 it is exactly 1 - IoU; in between it is straight, piece by piece.

    Source: Berman, Rannen Triki & Blaschko, *The Lovász-Softmax Loss* (2018), algorithm 1, with classes "present" and
    the batch as one image.

    Args:
        logits: (N, K, H, W).
        target: (N, H, W) int64, 0…K-1 or ignore_index.

    Raises TypeError or ValueError as `losses.checks.checked` says.

    >>> logits = torch.tensor([[99.0, 99.0, -99.0], [-99.0, -99.0, 99.0]]).view(1, 2, 1, 3)
    >>> lovasz_softmax(logits, torch.tensor([[[0, 1, 1]]])).item()  # IoU is 1/2 for both classes
    0.5
    """
    p, g = _probabilities_and_truth(logits, target, ignore_index)
    errors, order = torch.where(g, 1 - p, p).sort(dim=0, descending=True)  # (P, C) each
    return _mean_over_classes((errors * _jaccard_steps(g.gather(0, order), errors.dtype)).sum(0))


def _jaccard_steps(truth: Tensor, dtype: torch.dtype) -> Tensor:
    """What each pixel adds to 1 - IoU when pixels go wrong one after the other, row by row of `truth` (P, C) bool.

    With intersection I and union U after a step: a pixel of the class has left the intersection, which was I + 1, and
    adds (I + 1)/U - I/U = 1/U. Any other has joined the union, which was U - 1, and adds I/(U - 1) - I/U = I/(U² - U).
    """
    size = truth.sum(0)  # (C,) pixels of the class
    intersection = (size - truth.cumsum(0)).to(dtype)
    union = (size + (~truth).cumsum(0)).to(dtype)
    return torch.where(truth, 1 / union, intersection / (union**2 - union))


def _probabilities_and_truth(logits: Tensor, target: Tensor, ignore_index: int) -> tuple[Tensor, Tensor]:
    """p (P, C) and g (P, C) bool of the valid pixels, for the C classes that occur in the target."""
    logits, valid = checked(logits, target, ignore_index)
    target = target[valid]  # (P,)
    present = target.unique()  # (C,)
    probabilities = logits.softmax(1).movedim(1, -1)[valid][:, present]
    return probabilities, target[:, None] == present


def _mean_over_classes(losses: Tensor) -> Tensor:
    """Mean of (C,) losses; 0, with a gradient, if there is none."""
    return losses.sum() / max(len(losses), 1)
