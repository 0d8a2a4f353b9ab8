"""What a check of `course doctor` found: one line, and the fix if there is something to mend."""

from __future__ import annotations

import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    mark: ✓ in order; – not needed to run the course, but good to know; ✗ the course can't run.
    text: what was found.
    fix: what to do about it; for the student to copy.
    """

    mark: str
    text: str
    fix: str = ""

    @property
    def is_fatal(self) -> bool:
        """Whether the course can't run before this is mended."""
        return self.mark == "✗"

    def __str__(self) -> str:
        return f"  {self.mark} {self.text}" + (f"\n    → {self.fix}" if self.fix else "")


def fine(text: str) -> Finding:
    """Something is as it should be."""
    return Finding("✓", text)


def optional(text: str, fix: str = "") -> Finding:
    """Something is missing or scarce that the course can do without."""
    return Finding("–", text, fix)


def broken(text: str, fix: str) -> Finding:
    """Something is wrong, and the course can't run with it."""
    return Finding("✗", text, fix)


def install(*requirements: str) -> str:
    """The command that installs packages into the Python that runs this."""
    quoted = " ".join(f'"{requirement}"' for requirement in requirements)
    return f"{sys.executable} -m pip install --upgrade {quoted}"
