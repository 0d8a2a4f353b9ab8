"""What `course train`, `evaluate`, `predict`, `release` and `validate` do."""

from __future__ import annotations

import typer

from course_utils.commands.hand_out import release, validate
from course_utils.commands.train import train
from course_utils.commands.use import evaluate, predict


def register(app: typer.Typer) -> None:
    """Add the commands to `course`."""
    for command in (train, evaluate, predict, release, validate):
        app.command()(command)
