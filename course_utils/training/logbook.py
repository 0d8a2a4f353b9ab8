"""Where a run's numbers go: `log.csv`, one row per epoch, and TensorBoard, one point per step."""

from __future__ import annotations

from pathlib import Path

from course_utils.training.history import History, Row


class Logbook:
    """The logs in a run's folder; after a resume they go on where the checkpoint was made."""

    def __init__(self, folder: Path, history: History, step: int):
        from torch.utils.tensorboard import SummaryWriter

        self.csv = folder / "log.csv"
        if history.rows:  # a kill may have come between the checkpoint of an epoch and its row
            history.write_csv(self.csv)
        # What an earlier session logged after the checkpoint is hidden: it is about to happen again.
        self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=step)

    def step(self, step: int, loss: float, lr: float) -> None:
        self.board.add_scalar("train/loss", loss, step)
        self.board.add_scalar("train/lr", lr, step)

    def epoch(self, history: History) -> None:
        history.write_csv(self.csv)
        row: Row = history.rows[-1]
        for name, value in row.items():
            if name.startswith("val_") or name == "train_mean_iu":
                part, _, score = name.partition("_")
                self.board.add_scalar(f"{part}/{score}", value, int(row["step"]))
        self.board.flush()

    def __enter__(self) -> Logbook:
        return self

    def __exit__(self, *_: object) -> None:
        self.board.close()


class NoLogbook:
    """The logbook of a run that is written nowhere."""

    def step(self, step: int, loss: float, lr: float) -> None:
        pass

    def epoch(self, history: History) -> None:
        pass

    def __enter__(self) -> NoLogbook:
        return self

    def __exit__(self, *_: object) -> None:
        pass
