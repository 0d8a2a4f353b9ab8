"""What a student gets of an exercise: the same notebook without solutions and hidden tests."""

from __future__ import annotations

from copy import deepcopy
from hashlib import sha256

from nbformat import NotebookNode
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearHiddenTests,
    ClearMarkScheme,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
)

from course_utils.grading.masters import hidden_tests, lines, solutions

_STEPS = (
    CheckCellMetadata,
    LockCells,
    ClearSolutions,
    ClearOutput,
    ClearHiddenTests,
    ClearMarkScheme,
    ComputeChecksums,
)


def student_version(master: NotebookNode, name: str) -> NotebookNode:
    """The notebook that is given out, made as nbgrader makes it; `master` stays as it is.

    Its metadata say which exercise it is and what its test cells were, so that a renamed or changed file can be told:
    {"course": {"exercise": name, "tests": {grade_id: sha256 of the source}}}.

    Raises ValueError if the marks of solutions and hidden tests are not in order, or something of them is left.
    """
    notebook = deepcopy(master)
    try:
        for step in _STEPS:
            notebook, _ = step().preprocess(notebook, {})
    except RuntimeError as error:  # nbgrader's, for marks that are nested, not closed or in a cell of another kind
        raise ValueError(f"{name}: {error}") from error
    given = {line for cell in notebook.cells for line in lines(cell.source)}
    leaked = sorted(given & (solutions(master) | hidden_tests(master)))
    if leaked:
        raise ValueError(f"{name}: the student version would show: {leaked[0]!r} (and {len(leaked) - 1} more lines).")
    notebook.metadata["course"] = {"exercise": name, "tests": test_hashes(notebook)}
    return notebook


def test_hashes(notebook: NotebookNode) -> dict[str, str]:
    """The sha256 of every test cell's source, by its grade_id."""
    return {
        cell.metadata.nbgrader.grade_id: sha256(cell.source.encode()).hexdigest()
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade")
    }
