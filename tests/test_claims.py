"""Every claim in docs/claims.md is measured by a cell of a lesson, and every cell that measures one is in the table.

A cell that measures a claim carries the tag `claim:ID` in the lesson's text source. A row of the table reads

    | ID what is claimed | document | lesson | claim:ID, or #heading above the cell | verdict | what was measured |

with the verdict "holds", "holds if …" or "does not hold".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools.notebook_paths import notebook_of, sources
from tools.notebook_rules_code import CLAIM
from tools.notebook_text import read_source, tags

COLUMNS = ["claim", "document", "lesson", "cell", "verdict", "measured"]
VERDICT = re.compile(r"holds|holds if \S.*|does not hold")


@dataclass(frozen=True)
class Claim:
    """A row of the table."""

    id: str
    document: str
    lesson: str
    cell: str
    verdict: str
    measured: str


@dataclass(frozen=True)
class Measurement:
    """A cell that measures a claim: its lesson, the heading above it, whether it came out with something."""

    id: str
    lesson: str
    heading: str
    has_output: bool


def claims_in(text: str) -> list[Claim]:
    """Return the rows of the tables in docs/claims.md; raise `ValueError` at a row of another form."""
    claims = []
    for line in text.splitlines():
        if not line.startswith("|"):
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
        if set("".join(cells)) <= set("-: ") or [cell.lower() for cell in cells] == COLUMNS:
            continue
        if len(cells) != len(COLUMNS) or not all(cells):
            raise ValueError(f"expected {len(COLUMNS)} filled cells ({', '.join(COLUMNS)}) in: {line}")
        claim_id = re.match(r"`?([\w-]+)`?[:\s]+\S", cells[0])
        if not claim_id:
            raise ValueError(f"expected an ID and the claim in the first cell of: {line}")
        claims.append(Claim(claim_id[1], *cells[1:]))
    return claims


def measurements_in(lesson: str, notebook: NotebookNode) -> list[Measurement]:
    """Return what the cells of a built lesson measure."""
    found, heading = [], ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = (re.findall(r"^#+ +(.*)", cell.source, re.M) or [heading])[-1]
        for tag in tags(cell):
            if tag.startswith(CLAIM):
                has_output = bool(cell.get("outputs"))
                found.append(Measurement(tag.removeprefix(CLAIM), lesson, heading, has_output))
    return found


def problems(claims: list[Claim], measurements: list[Measurement]) -> list[str]:
    """Return what is wrong between the table and the lessons, a line each."""
    found = []
    rows, measured = [claim.id for claim in claims], [measurement.id for measurement in measurements]
    found += [f"{name}: two rows" for name in set(rows) if rows.count(name) > 1]
    found += [f"{name}: a row, but no cell is tagged {CLAIM}{name}" for name in set(rows) - set(measured)]
    found += [f"{name}: a cell is tagged {CLAIM}{name}, but there is no row" for name in set(measured) - set(rows)]
    for claim in claims:
        if not VERDICT.fullmatch(claim.verdict):
            found.append(f"{claim.id}: the verdict {claim.verdict!r} is not: holds, holds if …, does not hold")
        for measurement in measurements:
            if measurement.id == claim.id:
                found += disagreements(claim, measurement)
    return found


def disagreements(claim: Claim, measurement: Measurement) -> list[str]:
    """Return where a row and the cell that measures its claim say different things."""
    found = []
    if measurement.lesson not in re.findall(r"\w+", claim.lesson):
        found.append(f"{claim.id}: measured in {measurement.lesson}, not in {claim.lesson}")
    anchors = [anchor(part) for part in re.findall(r"#([^\s)`]+)", claim.cell)]
    if f"{CLAIM}{claim.id}" not in re.findall(r"[\w:-]+", claim.cell) and anchor(measurement.heading) not in anchors:
        found.append(f"{claim.id}: the cell is {CLAIM}{claim.id} under {measurement.heading!r}, not {claim.cell}")
    if not measurement.has_output:
        found.append(f"{claim.id}: the cell has no output to read the verdict from")
    return found


def anchor(heading: str) -> str:
    """Return a heading as a link names it, whichever tool made the link."""
    return re.sub(r"[^\w]+", "-", heading.lower()).strip("-")


def test_every_claim_is_measured_and_every_measurement_is_listed(checkout: Path) -> None:
    measurements = []
    for source in sources():
        tagged = [tag for cell in read_source(source).cells for tag in tags(cell) if tag.startswith(CLAIM)]
        built = measurements_in(source.stem, nbformat.read(notebook_of(source), as_version=4))
        assert [CLAIM + measurement.id for measurement in built] == tagged, source
        measurements += built
    assert measurements
    assert problems(claims_in((checkout / "docs" / "claims.md").read_text(encoding="utf-8")), measurements) == []


ROW = "| fc-conv: it is a \\| convolution | 001 | [01_sample](../x.ipynb) | `claim:fc-conv` | holds | equal to 1e-6 |"
TABLE = f"# Claims\n\n| {' | '.join(COLUMNS)} |\n| --- | --- | :-: | --- | --- | --- |\n{ROW}\n"


def sample(*tagged: str, output: bool = True) -> NotebookNode:
    """A built lesson with a heading and a cell that carries these tags."""
    outputs = [new_output("stream", text="1e-7")] if output else []
    cell = new_code_cell("print(error)", metadata={"tags": list(tagged)}, outputs=outputs)
    return new_notebook(cells=[new_markdown_cell("# Sample\n\n## 2. Layers, reshaped"), cell])


def check(table: str, lesson: NotebookNode, name: str = "01_sample") -> list[str]:
    return problems(claims_in(table), measurements_in(name, lesson))


@pytest.mark.parametrize(
    "table",
    [
        TABLE,
        TABLE.replace("fc-conv: a", "`fc-conv` a"),
        TABLE.replace("holds", "holds if the net has no padding"),
        TABLE.replace("holds", "does not hold"),
        TABLE.replace("`claim:fc-conv`", "[2](../x.ipynb#2.-Layers,-reshaped)"),
        TABLE.replace("`claim:fc-conv`", "#2-layers-reshaped"),
    ],
)
def test_a_right_table_has_no_problem(table: str) -> None:
    assert check(table, sample("claim:fc-conv")) == []


@pytest.mark.parametrize(
    ("table", "lesson", "problem"),
    [
        (TABLE, sample(), "fc-conv: a row, but no cell is tagged claim:fc-conv"),
        (TABLE, sample("claim:fc-conv", "claim:other"), "other: a cell is tagged claim:other, but there is no row"),
        (TABLE + ROW, sample("claim:fc-conv"), "fc-conv: two rows"),
        (TABLE.replace("01_sample", "02_other"), sample("claim:fc-conv"), "fc-conv: measured in 01_sample, not in"),
        (TABLE.replace("`claim:fc-conv`", "`claim:fc`"), sample("claim:fc-conv"), "fc-conv: the cell is claim:fc-conv"),
        (TABLE.replace("`claim:fc-conv`", "#sample"), sample("claim:fc-conv"), "fc-conv: the cell is claim:fc-conv"),
        (TABLE.replace("holds", "mostly holds"), sample("claim:fc-conv"), "fc-conv: the verdict 'mostly holds' is not"),
        (TABLE.replace("holds", "holds if"), sample("claim:fc-conv"), "fc-conv: the verdict 'holds if' is not"),
        (TABLE, sample("claim:fc-conv", output=False), "fc-conv: the cell has no output"),
    ],
)
def test_a_wrong_table_is_seen(table: str, lesson: NotebookNode, problem: str) -> None:
    (found,) = check(table, lesson)
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("| fc-conv: a claim | 001 | 01_sample | claim:fc-conv | holds |", "expected 6 filled cells"),
        ("| fc-conv: a claim | 001 | 01_sample | claim:fc-conv | holds | |", "expected 6 filled cells"),
        ("| fc-conv | 001 | 01_sample | claim:fc-conv | holds | 1 |", "expected an ID and the claim"),
    ],
)
def test_a_malformed_row_is_an_error(row: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        claims_in(TABLE + row)
