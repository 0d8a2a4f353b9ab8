"""A student's own check before handing in: the whole notebook, from the top, in a fresh kernel."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from course_utils.grading.masters import read_notebook

_SECONDS_PER_CELL = 120
_STUB = "YOUR ANSWER HERE"


@dataclass(frozen=True)
class Finding:
    """One line of the report: what it is about, whether it is well, and what there is to say of it."""

    name: str
    is_well: bool
    text: str = ""


def validate(path: Path) -> list[Finding]:
    """Run a student's notebook from the top, and tell of every graded cell whether it passes.

    The file stays as it is. First come faults of the notebook itself: test cells that are missing, doubled or changed,
    and cells that fail although they belong to no task.

    Raises ValueError if the file is no notebook, or no exercise; FileNotFoundError if there is none.
    """
    notebook = read_notebook(path)
    graded = [cell for cell in notebook.cells if grading(cell).get("grade")]
    if not graded:
        raise ValueError(f"{path} has no graded cells: it is not an exercise, or its metadata were lost on the way.")
    findings = structure(notebook)
    stopped = _run(notebook, path)
    if stopped:
        return [*findings, stopped]
    for cell in notebook.cells:
        error = next((output for output in cell.get("outputs", []) if output.output_type == "error"), None)
        if error and not grading(cell):
            findings.append(Finding("a cell of no task", False, f"{_message(error)} in: {_first_line(cell)}"))
    return findings + [_verdict(cell) for cell in graded]


def structure(notebook: NotebookNode) -> list[Finding]:
    """What is amiss with the test cells; nothing, if the notebook does not say what they were."""
    given = notebook.metadata.get("course", {}).get("tests", {})
    tests = [cell for cell in notebook.cells if cell.cell_type == "code" and grading(cell).get("grade")]
    numbers = Counter(grading(cell)["grade_id"] for cell in tests)
    findings = [Finding(name, False, "its test cell is missing") for name in given if name not in numbers]
    findings += [Finding(name, False, f"its test cell is there {n} times") for name, n in numbers.items() if n > 1]
    for cell in tests:
        name = grading(cell)["grade_id"]
        if name in given and sha256(cell.source.encode()).hexdigest() != given[name]:
            findings.append(Finding(name, False, "its test cell was changed; the one that you were given counts"))
    return findings


def grading(cell: NotebookNode) -> dict:
    """What nbgrader knows of a cell, {} if nothing."""
    return cell.metadata.get("nbgrader", {})


def _run(notebook: NotebookNode, path: Path) -> Finding | None:
    client = NotebookClient(
        notebook, timeout=_SECONDS_PER_CELL, kernel_name="python3", allow_errors=True,
        resources={"metadata": {"path": str(path.resolve().parent)}},
    )  # fmt: skip
    try:
        client.execute()
    except CellTimeoutError:
        return Finding("the notebook", False, f"a cell runs for more than {_SECONDS_PER_CELL} s: an endless loop?")
    except DeadKernelError:
        return Finding("the notebook", False, "the kernel died: out of memory, or a call that ends Python?")
    return None


def _verdict(cell: NotebookNode) -> Finding:
    name = f"{grading(cell)['grade_id']} ({grading(cell)['points']:g} points)"
    if cell.cell_type == "markdown":
        is_blank = not cell.source.strip() or cell.source.strip() == _STUB
        return Finding(name, not is_blank, "not answered yet" if is_blank else "is read by a person")
    error = next((output for output in cell.outputs if output.output_type == "error"), None)
    if error is None:
        return Finding(name, True, "passes the tests that you can see")
    if error.ename == "NotImplementedError":
        return Finding(name, False, "not answered yet")
    return Finding(name, False, _message(error))


def _message(error: NotebookNode) -> str:
    """An error in one line."""
    text = " ".join(error.evalue.split())
    return f"{error.ename}: {text}" if text else error.ename


def _first_line(cell: NotebookNode) -> str:
    return cell.source.strip().partition("\n")[0]
