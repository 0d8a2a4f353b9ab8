"""`course release` for instructors, `course validate` for students."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from course_utils.commands.errors import one_line_errors


def release(
    to: Annotated[Path, typer.Option(help="Folder to write into.", metavar="DIR", show_default=False)],
    exercises: Annotated[
        list[str] | None,
        typer.Argument(help="Exercises by number or name; all if left out.", metavar="[LESSON]...", show_default=False),
    ] = None,
) -> None:
    """Make what students get: lessons, exercises without solutions and hidden tests, set-up; as a folder and as zips.

    Hand out segmentation-course.zip at the start, exercises/NN_topic.zip whenever you like.
    """
    with one_line_errors():
        _require("nbgrader")
        from course_utils.grading.bundle import release

        for path in release(to, exercises or []):
            print(path)


def validate(
    notebook: Annotated[Path, typer.Argument(help="Your notebook.", metavar="FILE.ipynb", show_default=False)],
) -> None:
    """Run an exercise from the top in a fresh kernel and say which answers pass the tests that you can see.

    Exit status 1 if there is anything left to do. Your file stays as it is.
    """
    with one_line_errors():
        _require("nbclient")
        from course_utils.grading.validate import validate

        findings = validate(notebook)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")  # ✓ and ✗ in a Windows pipe too
    for finding in findings:
        print(f"{'✓' if finding.is_well else '✗'} {finding.name}: {finding.text}")
    open_ones = sum(not finding.is_well for finding in findings)
    print(f"{open_ones} of {len(findings)} need your attention." if open_ones else "More tests run when it is graded.")
    if open_ones:
        raise typer.Exit(1)


def _require(package: str) -> None:
    """Raise ValueError, with the fix, if a package of the extra `grade` (or `lab`) is not installed."""
    import importlib.util

    if importlib.util.find_spec(package) is None:
        extra = "grade" if package == "nbgrader" else "lab"
        raise ValueError(f'{package} is not installed. Install it: python -m pip install ".[{extra}]"')
