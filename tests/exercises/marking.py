"""Mark an exercise as a grader would: put answers into the master notebook, run it, add up the points.

`ExerciseTests` is what every exercise must pass.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

import nbformat
import pytest
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


class ExerciseTests:
    """Full marks for the right answers, none for the stub, and the stated marks for plausible wrong ones.

    topic: of the exercise. full: the points of each test cell. free: those of each free answer. wrong: by name, the
    task, the body of a wrong answer, and the test cells whose points differ from the full ones.
    """

    topic: ClassVar[str]
    full: ClassVar[dict[str, float]]
    free: ClassVar[list[float]]
    wrong: ClassVar[dict[str, tuple[str, str, dict[str, float]]]]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "wrong_answer" in metafunc.fixturenames:
            metafunc.parametrize("wrong_answer", metafunc.cls.wrong)

    def test_the_master_earns_all_points(self):
        assert marks(read_master(self.topic)) == self.full

    def test_the_untouched_stub_earns_nothing(self):
        assert marks(untouched(read_master(self.topic))) == dict.fromkeys(self.full, 0)

    def test_plausible_wrong_answers_earn_what_they_should(self, wrong_answer):
        task, answer, expected = self.wrong[wrong_answer]
        assert marks(with_answers(read_master(self.topic), {task: answer})) == self.full | expected

    def test_every_task_has_three_wrong_answers_and_every_grade_is_stated(self):
        cells = [cell for cell in read_master(self.topic).cells if "nbgrader" in cell.metadata]
        code = [cell.metadata.nbgrader for cell in cells if cell.cell_type == "code"]
        tasks = {grading.grade_id for grading in code if grading.solution}
        assert all(sum(task == wrong[0] for wrong in self.wrong.values()) >= 3 for task in tasks)
        assert {grading.grade_id: grading.points for grading in code if grading.grade} == self.full
        assert [cell.metadata.nbgrader.points for cell in cells if cell.cell_type == "markdown"] == self.free
