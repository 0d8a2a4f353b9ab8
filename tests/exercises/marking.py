"""Mark an exercise as a grader would: put answers into the master notebook, run it, add up the points."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from nbgrader.preprocessors import ClearSolutions

MASTERS = Path(__file__).parents[2] / "notebooks" / "exercises"
SOLUTION = re.compile(r"^( *)### BEGIN SOLUTION\n.*?### END SOLUTION", re.DOTALL | re.MULTILINE)


def read_master(topic: str) -> nbformat.NotebookNode:
    return nbformat.read(MASTERS / topic / f"{topic}.ipynb", as_version=4)


def with_answers(notebook: nbformat.NotebookNode, answers: dict[str, str]) -> nbformat.NotebookNode:
    """The notebook with the solution of each named task replaced by an answer (the function's body, not indented)."""
    left = set(answers)
    for cell in notebook.cells:
        task = cell.metadata.get("nbgrader", {}).get("grade_id")
        if task in answers:
            body = answers[task]
            filled, count = SOLUTION.subn(lambda m, body=body: re.sub("^", m[1], body, flags=re.MULTILINE), cell.source)
            assert count == 1, f"task {task} has {count} solutions"
            cell.source = filled
            left.remove(task)
    assert not left, f"no such task: {left}"
    return notebook


def untouched(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """What a student gets: every solution replaced by nbgrader's stub."""
    return ClearSolutions().preprocess(notebook, {})[0]


def marks(notebook: nbformat.NotebookNode) -> dict[str, float]:
    """Points of each test cell: all of them if the cell runs, none if it raises."""
    namespace: dict[str, object] = {}
    earned = {}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        grading = cell.metadata.get("nbgrader", {})
        try:
            exec(cell.source, namespace)
            failed = False
        except Exception:
            if not grading:
                raise
            failed = True
        if grading.get("grade"):
            earned[grading["grade_id"]] = 0 if failed else grading["points"]
    return earned
