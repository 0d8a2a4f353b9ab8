"""`course validate`: a student's check of a whole notebook."""

from __future__ import annotations

import nbformat
import pytest
from nbformat.v4 import new_code_cell
from typer.testing import CliRunner

from course_utils.cli import app
from course_utils.grading.student import student_version
from tests.grading.test_release import master


@pytest.fixture
def given(tmp_path):
    """The student version in a file, and a way to change it."""
    path = tmp_path / "my copy (1).ipynb"

    def change(*answers: str, edit=lambda notebook: None) -> tuple[int, list[str]]:
        notebook = student_version(master(), "99_double")
        for cell, answer in zip((notebook.cells[1], notebook.cells[3]), answers, strict=False):
            cell.source = answer
        edit(notebook)
        nbformat.write(notebook, path)
        before = path.read_bytes()
        result = CliRunner().invoke(app, ["validate", str(path)])
        assert path.read_bytes() == before, "the student's file was changed"
        assert result.exit_code in (0, 1) and not result.stderr, result.output
        return result.exit_code, result.stdout.splitlines()

    return change


RIGHT = "def double(x):\n    return 2 * x"


def test_a_right_answer(given):
    status, said = given(RIGHT, "Because.")
    assert status == 0
    assert said == [
        "✓ test-double (2 points): passes the tests that you can see", "✓ words (3 points): is read by a person",
        "More tests run when it is graded.",
    ]  # fmt: skip


def test_an_untouched_notebook(given):
    status, said = given()
    assert status == 1
    assert said == [
        "✗ test-double (2 points): not answered yet", "✗ words (3 points): not answered yet",
        "2 of 2 need your attention.",
    ]  # fmt: skip


def test_a_wrong_answer_is_told_with_the_message_of_the_test(given):
    status, said = given("def double(x):\n    return x ** 3", "Because.")
    assert status == 1 and said[0] == "✗ test-double (2 points): AssertionError: twice two"


def test_a_variable_that_only_the_old_session_knew(given):
    status, said = given("factor\ndef double(x):\n    return factor * x", "Because.")
    assert status == 1 and "NameError" in said[0]


def test_a_changed_test(given):
    def edit(notebook):
        notebook.cells[2].source = "assert True"

    status, said = given(RIGHT, "Because.", edit=edit)
    assert status == 1 and said[0] == "✗ test-double: its test cell was changed; the one that you were given counts"


@pytest.mark.filterwarnings("ignore::nbformat.warnings.DuplicateCellId")  # what the test is about
def test_a_missing_and_a_doubled_test(given):
    status, said = given(RIGHT, "Because.", edit=lambda notebook: notebook.cells.pop(2))
    assert status == 1 and said[0] == "✗ test-double: its test cell is missing"
    status, said = given(RIGHT, "Because.", edit=lambda notebook: notebook.cells.append(notebook.cells[2]))
    assert status == 1 and said[0] == "✗ test-double: its test cell is there 2 times"


def test_a_cell_of_no_task_that_fails(given):
    status, said = given(RIGHT, "Because.", edit=lambda notebook: notebook.cells.insert(0, new_code_cell("1 / 0\n")))
    assert status == 1 and said[0] == "✗ a cell of no task: ZeroDivisionError: division by zero in: 1 / 0"


def test_a_kernel_that_dies(given):
    status, said = given("import os\nos._exit(3)", "Because.")
    assert status == 1 and "the kernel died" in said[0]


def test_an_endless_loop(given, monkeypatch):
    monkeypatch.setattr("course_utils.grading.validate._SECONDS_PER_CELL", 3)
    status, said = given("while True:\n    pass", "Because.")
    assert status == 1 and "a cell runs for more than 3 s" in said[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [("not json", "is not a notebook"), ('{"cells": []}', "has no graded cells"), ("[1]", "is not a notebook")],
)
def test_what_is_no_notebook(tmp_path, text, words):
    path = tmp_path / "a.ipynb"
    path.write_text(text)
    result = CliRunner().invoke(app, ["validate", str(path)])
    assert result.exit_code == 1 and words in result.stderr and len(result.stderr.splitlines()) == 1


def test_a_lesson_is_no_exercise(checkout):
    result = CliRunner().invoke(app, ["validate", str(checkout / "notebooks" / "00_start_here.ipynb")])
    assert result.exit_code == 1 and "has no graded cells" in result.stderr


def test_no_such_file(tmp_path):
    result = CliRunner().invoke(app, ["validate", str(tmp_path / "none.ipynb")])
    assert result.exit_code == 1 and "none.ipynb: No such file or directory." in result.stderr
