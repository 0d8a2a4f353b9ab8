"""The command `course`."""

from __future__ import annotations

import sys

import typer

from course_utils.commands import register
from course_utils.data.cli import app as data_app

app = typer.Typer(no_args_is_help=True, add_completion=False)
app.add_typer(data_app, name="data")
register(app)


@app.callback()
def course() -> None:
    """Tools of the semantic segmentation course."""


@app.command()
def doctor() -> None:
    """Say what works on this machine and how to mend what does not; exit status 1 if the course can't run."""
    from course_utils.doctor import examine, report

    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")  # ✓ and ✗ in a Windows pipe too
    sections = examine()
    print(report(sections))
    if any(finding.is_fatal for findings in sections.values() for finding in findings):
        raise typer.Exit(1)
