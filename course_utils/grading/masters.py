"""The exercises with their solutions and hidden tests, as instructors have them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from course_utils.data.names import unknown

CHECKOUT = Path(__file__).resolve().parents[2]

_SECRET = re.compile(r"^ *### BEGIN (SOLUTION|HIDDEN TESTS) *\n(.*?)^ *### END \1 *$", re.DOTALL | re.MULTILINE)
_SHORTEST_LINE = 12  # characters: "return total" may stand anywhere, and gives nothing away


def find_masters(lessons: Sequence[str] = (), checkout: Path = CHECKOUT) -> dict[str, Path]:
    """The master notebooks of some lessons, or of all: {"01_fc_to_conv": path, …}.

    lessons: names such as "01_fc_to_conv", or their numbers, "01" or "1".

    Raises ValueError for a lesson without an exercise, FileNotFoundError where there are no masters at all, as in what
    students have.
    """
    paths = sorted((checkout / "notebooks" / "exercises").glob("*/*.ipynb"))
    masters = {path.stem: path for path in paths if path.stem == path.parent.name}
    if not masters:
        raise FileNotFoundError(f"{checkout}: there are no exercises here. Use a checkout of the course's repository.")
    chosen = {}
    for lesson in lessons or masters:
        name = next((name for name in masters if lesson.zfill(2) in (name, name[:2])), None)
        if name is None:
            raise unknown("exercise", lesson, list(masters))
        chosen[name] = masters[name]
    return chosen


def read_notebook(path: Path) -> NotebookNode:
    """A notebook in the present format, whatever it was saved in. Raises ValueError if it is none."""
    try:
        return nbformat.read(path, as_version=4)
    except (ValueError, AttributeError, KeyError) as error:  # not JSON, or JSON of something else
        raise ValueError(f"{path} is not a notebook: {' '.join(str(error).split())[:200]}") from error


def solutions(master: NotebookNode) -> set[str]:
    """The lines that only the solutions have, of code and of free answers, without their indents."""
    return _secret_lines(master, "SOLUTION")


def hidden_tests(master: NotebookNode) -> set[str]:
    """The lines that only the hidden tests have, without their indents."""
    return _secret_lines(master, "HIDDEN TESTS")


def _secret_lines(master: NotebookNode, kind: str) -> set[str]:
    secret, public = set(), set()
    for cell in master.cells:
        # A free answer has the marks of a heading before them.
        source = re.sub(r"^#+ (?=### (BEGIN|END) )", "", cell.source, flags=re.MULTILINE)
        for match in _SECRET.finditer(source):
            if match[1] == kind:
                secret |= lines(match[2])
        public |= lines(_SECRET.sub("", source))
    return secret - public


def lines(text: str) -> set[str]:
    """The lines of a text that say something, without their indents."""
    return {line.strip() for line in text.splitlines() if len(line.strip()) >= _SHORTEST_LINE}
