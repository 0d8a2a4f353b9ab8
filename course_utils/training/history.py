"""What a run has logged: one row per epoch."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path

Row = dict[str, float]


@dataclass
class History:
    """The log of a run.

    rows: one dict per finished epoch: `epoch` (from 1), `step` (steps so far), `lr` (at the epoch's last step),
    `train_loss` and `train_mean_iu` (over the epoch's batches as they came, augmented, in training mode), and with a
    validation set `val_loss`, `val_acc`, `val_acc_cls`, `val_mean_iu`, `val_fw_iu`. Losses are in the loss's own unit,
    scores from 0 to 1.
    best_epoch: the epoch with the highest `val_mean_iu` (without a validation set: the lowest `train_loss`).
    seconds: time spent in training and validation, over all sessions of the run.
    stopped_early: whether it ended because the validation score did not improve any more.
    """

    rows: list[Row] = field(default_factory=list)
    best_epoch: int = 0
    seconds: float = 0.0
    stopped_early: bool = False

    def column(self, name: str) -> list[float]:
        """The values of one column, epoch by epoch."""
        return [row[name] for row in self.rows]

    @property
    def best(self) -> Row:
        """The row of the best epoch. Raises IndexError before the first epoch has ended."""
        return self.rows[self.best_epoch - 1]

    def add(self, row: Row) -> bool:
        """Append a row; true if it is the best so far (of equals the first)."""
        self.rows.append(row)
        if self.best_epoch and not _merit(row) > _merit(self.best):
            return False
        self.best_epoch = len(self.rows)
        return True

    def write_csv(self, path: Path) -> None:
        """Write all rows; a reader sees the old file or the new one, never half of one."""
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(self.rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        part = path.with_name(path.name + ".part")
        part.write_text(text.getvalue(), encoding="utf-8")
        os.replace(part, path)


def _merit(row: Row) -> float:
    if "val_mean_iu" not in row:
        return -row["train_loss"]
    return -1.0 if isnan(row["val_mean_iu"]) else row["val_mean_iu"]  # nan: no labelled pixel to score
