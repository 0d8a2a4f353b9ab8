"""Rules on a notebook's code cells. Each rule yields one line for each fault."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator

from nbformat import NotebookNode

from tools.colab_cell import CELL
from tools.notebook_document import Document, called_name, calls, syntax
from tools.notebook_text import tags

LONGEST_CELL = 25
MEDIAN_CELL = 6
CHECK_SHARE = 1 / 4
SEED_CELLS = 3
"""The one cell that sets the seed is among this many first code cells."""

KNOWN_TAGS = {"expects-warning", "nbval-check-output", "reseeds"}
CLAIM = "claim:"

_SEEDING = {"manual_seed", "manual_seed_all", "seed", "seed_everything"}


def colab_cell(document: Document) -> Iterator[str]:
    """The first code cell is the one that sets the course up on Colab, letter by letter."""
    if not document.code or document.code[0][1].source.strip() != CELL.strip():
        yield "the first code cell is not the one that `python -m tools.colab_cell` prints."


def cell_length(document: Document) -> Iterator[str]:
    """No code cell is long; what is longer belongs in `course_utils`."""
    for number, cell in document.code:
        if (lines := _lines(cell)) > LONGEST_CELL:
            yield f"cell {number} has {lines} lines of code; at most {LONGEST_CELL}."


def median_length(document: Document) -> Iterator[str]:
    """The median code cell is short: a cell does one thing."""
    median = statistics.median(_lines(cell) for _, cell in document.code) if document.code else 0
    if median > MEDIAN_CELL:
        yield f"the median code cell has {median:g} lines; at most {MEDIAN_CELL}."


def no_empty_cell(document: Document) -> Iterator[str]:
    """No cell is empty."""
    for number, cell in enumerate(document.notebook.cells, start=1):
        if not cell.source.strip():
            yield f"cell {number} is empty; delete it."


def check_share(document: Document) -> Iterator[str]:
    """A good part of the code cells end in an `assert` or a call of a `check…` helper."""
    ending = sum(ends_in_check(cell) for _, cell in document.code)
    if ending < CHECK_SHARE * len(document.code):
        yield f"{ending} of {len(document.code)} code cells end in a check (assert, check…); expected a quarter."


def seed_once(document: Document) -> Iterator[str]:
    """Random numbers are seeded in one place near the top; a cell tagged `reseeds` may do it again."""
    sites = []
    for position, (number, cell) in enumerate(document.code, start=1):
        seeding = [name for name, _ in calls(cell) if name in _SEEDING]
        if not seeding or "reseeds" in tags(cell):
            continue
        sites.append(number)
        if position > SEED_CELLS:
            yield f"cell {number} seeds random numbers; do it in one of the first {SEED_CELLS} code cells."
    if len(sites) > 1:
        yield f"cells {sites} all seed random numbers; do it once, or tag a cell `reseeds`."


def no_bare_show(document: Document) -> Iterator[str]:
    """Figures are shown by `show(fig, alt=…)`, never by pyplot, which knows no alternative text."""
    for number, cell in document.code:
        for name, call in calls(cell):
            if name == "show" and "alt" not in [keyword.arg for keyword in call.keywords]:
                yield f"cell {number}: {ast.unparse(call)} shows a figure without alt text; use show(fig, alt=…)."


def no_skipping(document: Document) -> Iterator[str]:
    """No cell is kept from the tests, and no tag is misspelt: an unknown tag does nothing at all."""
    for number, cell in enumerate(document.notebook.cells, start=1):
        if cell.cell_type == "code" and re.search(r"^\s*#+\s*NBVAL_", cell.source, re.MULTILINE):
            yield f"cell {number} steers nbval by a comment; use the tag nbval-check-output, or nothing."
        for tag in tags(cell):
            if tag not in KNOWN_TAGS and not tag.startswith(CLAIM):
                known = ", ".join([*sorted(KNOWN_TAGS), f"{CLAIM}ID"])
                yield f"cell {number} has the unknown tag {tag!r}; known are {known}."


def ends_in_check(cell: NotebookNode) -> bool:
    """Say whether the last thing that `cell` does, but for printing, is an `assert` or a call of a `check…` helper."""
    body = syntax(cell).body
    while body:
        last = body[-1]
        if isinstance(last, ast.Assert):
            return True
        if isinstance(last, ast.For | ast.While | ast.With | ast.If):
            body = last.body
            continue
        call = last.value if isinstance(last, ast.Expr | ast.Assign) else None
        name = called_name(call) if isinstance(call, ast.Call) else ""
        if name == "print":
            body = body[:-1]
            continue
        return name.startswith("check")
    return False


def _lines(cell: NotebookNode) -> int:
    return len(cell.source.splitlines())
