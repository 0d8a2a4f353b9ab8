"""What `course train`, `course evaluate` and `course predict` do."""

from __future__ import annotations

import typer

from course_utils.commands.train import train
from course_utils.commands.use import evaluate, predict


def register(app: typer.Typer) -> None:
    """Add the three commands to `course`."""
    for command in (train, evaluate, predict):
        app.command()(command)
