"""The confusion matrix, filled by one bincount, and the scores that come out of it.

Letters: K classes; n[t, p] pixels of true class t that were predicted as class p. For a class c, n[c, c] pixels are
right, the row sums to its true pixels, the column to its predicted ones. The scores `acc`, `acc_cls`, `mean_iu` and
`fw_iu` are those of Long, Shelhamer & Darrell (2015), section 5: pixel accuracy, mean accuracy, mean IU and
frequency-weighted IU.
"""

from __future__ import annotations

import math
import operator
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from course_utils.data.names import unknown
from course_utils.metrics.checks import check_classes, check_label_maps

Absent = Literal["nan", "zero", "one"]

_SCORE_OF_ABSENT = {"nan": math.nan, "zero": 0.0, "one": 1.0}


class BinaryCounts(NamedTuple):
    """Pixels of a problem with two classes, 1 being the positive one."""

    tp: int  # true positives: called 1, and 1
    fp: int  # false positives: called 1, but 0
    fn: int  # false negatives: called 0, but 1
    tn: int  # true negatives: called 0, and 0


class ConfusionMatrix:
    """Counts of (true class, predicted class) pairs, added up batch by batch; all scores come from the sums.

    Args:
        num_classes: K, the number of classes.
        ignore_index: the label of void pixels in the target. They are left out, whatever is predicted there.

    `matrix` holds the counts, (K, K) int64, rows truth, columns prediction, on the device of the last update.

    Scores of a class that has no pixel to judge are set by the argument `absent`: "nan" leaves the class out of a
    mean, "zero" and "one" count it as wholly wrong or wholly right. What "no pixel to judge" means stands at each
    score. When nothing has been counted at all, every score is nan under every policy: there is nothing to say.

    Raises TypeError or ValueError if num_classes is not a whole number from 1 or ignore_index not a whole number.

    >>> target = torch.tensor([[0, 0, 1], [1, 1, 255]])
    >>> prediction = torch.tensor([[0, 1, 1], [1, 1, 0]])
    >>> ConfusionMatrix(num_classes=2).update(prediction, target).matrix
    tensor([[1, 1],
            [0, 3]])
    """

    def __init__(self, num_classes: int, ignore_index: int = 255) -> None:
        self.num_classes = _whole("num_classes", num_classes)
        self.ignore_index = _whole("ignore_index", ignore_index)
        if self.num_classes < 1:
            raise ValueError(f"num_classes: expected 1 or more, got {num_classes}.")
        self.matrix = torch.zeros(self.num_classes, self.num_classes, dtype=torch.int64)

    def __repr__(self) -> str:
        counted = int(self.matrix.sum())
        return f"ConfusionMatrix(num_classes={self.num_classes}, ignore_index={self.ignore_index}): {counted} pixels"

    def update(self, prediction: Tensor, target: Tensor) -> ConfusionMatrix:
        """Count the pixels of `prediction` against `target`, both int64 of one shape, (N, H, W) or (H, W); return self.

        Each pair (t, p) is the number K·t + p; one bincount counts them all. Void pixels fall into a bin of their own,
        which is dropped.

        Raises TypeError unless both are int64 tensors; ValueError if shapes or devices differ, or a class number lies
        outside 0…K-1 (void pixels are not looked at). The matrix is then as it was.
        """
        check_label_maps(prediction, target)
        classes = self.num_classes
        void = target == self.ignore_index
        check_classes("prediction", prediction, classes, void)
        check_classes("target", target, classes, void, self.ignore_index)
        pairs = torch.add(prediction, target, alpha=classes).masked_fill_(void, classes**2)
        counts = torch.bincount(pairs.flatten(), minlength=classes**2 + 1)[:-1].view(classes, classes)
        self.matrix = self.matrix.to(counts.device) + counts
        return self

    def merge(self, other: ConfusionMatrix) -> ConfusionMatrix:
        """Add the counts of `other`; return self. The result is the matrix of both inputs put together.

        Raises ValueError if `other` has another number of classes.
        """
        if other.num_classes != self.num_classes:
            raise ValueError(
                f"other has {other.num_classes} classes, this matrix {self.num_classes}. Only matrices of the same "
                "classes, in the same order, can be merged."
            )
        self.matrix = self.matrix + other.matrix.to(self.matrix.device)
        return self

    def acc(self) -> float:
        """Pixel accuracy, Σ n[c, c] / Σ n: the share of pixels that are right."""
        right, true, _ = self._sums()
        return float(right.sum() / true.sum())

    def acc_cls(self, absent: Absent = "nan") -> float:
        """Mean accuracy: the mean of `recall` over the classes."""
        return float(self.recall(absent).nanmean())

    def iu(self, absent: Absent = "nan") -> Tensor:
        """Intersection over union (Jaccard index) of each class, (K,) float64: TP / (TP + FP + FN).

        A class is absent if it is neither in the truth nor in the prediction. One that is predicted where it never
        occurs has 0.

        >>> m = ConfusionMatrix(num_classes=3).update(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, 1]))
        >>> m.iu(), m.mean_iu("nan"), m.mean_iu("zero"), m.mean_iu("one")
        (tensor([0.5000, 0.6667,    nan], dtype=torch.float64), 0.5833..., 0.3888..., 0.7222...)
        """
        right, true, predicted = self._sums()
        return self._share(right, true + predicted - right, absent)

    def mean_iu(self, absent: Absent = "nan") -> float:
        """Mean IoU: the mean of `iu` over the classes."""
        return float(self.iu(absent).nanmean())

    def fw_iu(self) -> float:
        """Frequency-weighted IoU: each class counts as much as it has true pixels, so absent ones don't."""
        _, true, _ = self._sums()
        return float((true * self.iu("zero")).sum() / true.sum())

    def dice(self, absent: Absent = "nan") -> Tensor:
        """Dice coefficient (F1) of each class, (K,) float64: 2 TP / (2 TP + FP + FN) = 2 IoU / (1 + IoU).

        A class is absent if it is neither in the truth nor in the prediction.
        """
        right, true, predicted = self._sums()
        return self._share(2 * right, true + predicted, absent)

    def precision(self, absent: Absent = "nan") -> Tensor:
        """TP / (TP + FP) of each class, (K,) float64. A class is absent if it is never predicted."""
        right, _, predicted = self._sums()
        return self._share(right, predicted, absent)

    def recall(self, absent: Absent = "nan") -> Tensor:
        """TP / (TP + FN) of each class, (K,) float64. A class is absent if it is not in the truth."""
        right, true, _ = self._sums()
        return self._share(right, true, absent)

    def binary_counts(self) -> BinaryCounts:
        """TP, FP, FN and TN of a matrix of two classes; class 1 is the positive one.

        Raises ValueError if there are not two classes.
        """
        if self.num_classes != 2:
            raise ValueError(
                f"binary_counts needs 2 classes, this matrix has {self.num_classes}. For class c against the rest, "
                "count (prediction == c).long() against the target with c as 1 and the others as 0."
            )
        tn, fp, fn, tp = self.matrix.flatten().tolist()
        return BinaryCounts(tp, fp, fn, tn)

    def _sums(self) -> tuple[Tensor, Tensor, Tensor]:
        """Right, true and predicted pixels of each class, (K,) float64 each, exact up to 2⁵³."""
        matrix = self.matrix.cpu().double()  # not every device has float64
        return matrix.diag(), matrix.sum(1), matrix.sum(0)

    def _share(self, part: Tensor, whole: Tensor, absent: Absent) -> Tensor:
        """part / whole, and the score that `absent` names where the whole is 0."""
        if absent not in _SCORE_OF_ABSENT:
            raise unknown("policy for absent classes", absent, list(_SCORE_OF_ABSENT))
        nothing_counted = not self.matrix.any()
        return torch.where(whole > 0, part / whole, math.nan if nothing_counted else _SCORE_OF_ABSENT[absent])


def _whole(name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: expected a whole number, got {value!r}.") from None
