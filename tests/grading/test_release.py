"""`course release`: what students get, and that no solution and no hidden test is in it."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from typer.testing import CliRunner

from course_utils.cli import app
from course_utils.grading import student
from course_utils.grading.bundle import _check, release
from course_utils.grading.masters import find_masters, hidden_tests, lines, read_notebook, solutions
from course_utils.grading.student import student_version

MASTERS = find_masters()


@pytest.fixture(scope="module")
def released(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("release") / "out"
    release(folder)
    return folder


def task(source: str, grade_id: str, *, points: int = 0, kind: type = new_code_cell):
    is_free = kind is new_markdown_cell
    grading = {
        "grade": points > 0, "grade_id": grade_id, "locked": points > 0 and not is_free, "schema_version": 3,
        "solution": points == 0 or is_free, "task": False,
    }  # fmt: skip
    return kind(source, metadata={"nbgrader": grading | ({"points": points} if points else {})})


ANSWER = """def double(x):
    \"\"\"Twice x.\"\"\"
    ### BEGIN SOLUTION
    result_of_doubling = x + x
    return result_of_doubling
    ### END SOLUTION"""
TESTS = """assert double(2) == 4, "twice two"
### BEGIN HIDDEN TESTS
assert double("ab") == "abab", "the secret case"
### END HIDDEN TESTS"""
FREE = """### BEGIN SOLUTION
Addition does the same for words as for numbers.
### END SOLUTION"""


def master(*more) -> nbformat.NotebookNode:
    cells = [new_markdown_cell("# Double it"), task(ANSWER, "double"), task(TESTS, "test-double", points=2)]
    return new_notebook(cells=[*cells, task(FREE, "words", points=3, kind=new_markdown_cell), *more])


def test_the_secrets_of_a_master():
    assert solutions(master()) == {
        "result_of_doubling = x + x", "return result_of_doubling", "Addition does the same for words as for numbers.",
    }  # fmt: skip
    assert hidden_tests(master()) == {'assert double("ab") == "abab", "the secret case"'}


def test_a_student_version_has_the_questions_and_not_the_answers():
    original = master()
    before = deepcopy(original)
    given = student_version(original, "99_double")
    sources = [cell.source for cell in given.cells]
    assert sources[0] == "# Double it" and sources[3] == "YOUR ANSWER HERE"
    assert '"""Twice x."""' in sources[1] and "raise NotImplementedError()" in sources[1]
    assert sources[2].strip() == 'assert double(2) == 4, "twice two"'
    assert given.cells[2].metadata.editable is False
    assert given.metadata.course.exercise == "99_double" and list(given.metadata.course.tests) == ["test-double"]
    assert original == before, "the master was changed"


@pytest.mark.parametrize("left_out", ["ClearSolutions", "ClearHiddenTests"])
def test_what_is_left_of_a_secret_is_seen(monkeypatch, left_out):
    steps = [step for step in student._STEPS if step.__name__ != left_out]
    monkeypatch.setattr(student, "_STEPS", steps)
    with pytest.raises(ValueError, match="99_double: the student version would show: '"):
        student_version(master(), "99_double")


NOT_CLOSED = ANSWER.replace("    ### END SOLUTION", "")
IN_A_TEST = TESTS.replace("HIDDEN TESTS", "SOLUTION")


@pytest.mark.parametrize(("source", "points"), [(NOT_CLOSED, 0), (IN_A_TEST, 2), (TESTS[:-20], 2)])
def test_marks_that_are_not_in_order_are_refused(source, points):
    with pytest.raises(ValueError, match="99_double: "):
        student_version(master(task(source, "more", points=points)), "99_double")


@pytest.mark.parametrize("name", MASTERS)
def test_nothing_of_a_master_leaks(released, name):
    """Line by line, in the folder and in the zips."""
    original = read_notebook(MASTERS[name])
    answers, hidden = solutions(original), hidden_tests(original)
    assert len(answers) > 5 and len(hidden) > 3
    with zipfile.ZipFile(released / "exercises" / f"{name}.zip") as archive:
        (entry,) = archive.namelist()
        assert entry == f"{name}/{name}.ipynb"
        zipped = archive.read(entry).decode()
    path = released / "segmentation-course" / "notebooks" / "exercises" / name / f"{name}.ipynb"
    assert path.read_text() == zipped
    given = {line for cell in nbformat.reads(zipped, 4).cells for line in lines(cell.source)}
    assert not given & (answers | hidden)
    assert not re.search("(BEGIN|END) (SOLUTION|HIDDEN TESTS)", zipped)
    everything = {line for file in texts(released) for line in lines(file)}
    assert not everything & {line for line in hidden if "assert" in line}


def texts(released: Path):
    """The text of every file of the bundle; of notebooks, that of the cells."""
    for path in (released / "segmentation-course").rglob("*"):
        if path.suffix == ".ipynb":
            yield "\n".join(cell.source for cell in read_notebook(path).cells)
        elif path.is_file():
            yield path.read_bytes().decode(errors="replace")


def test_a_hidden_test_anywhere_stops_the_release(released):
    path = released / "segmentation-course" / "data" / "note.txt"
    secret = next(line for line in hidden_tests(read_notebook(MASTERS["01_fc_to_conv"])) if "assert" in line)
    path.write_text(f"by the way:\n   {secret}\n")
    with pytest.raises(ValueError, match="data/note.txt shows a hidden test of 01_fc_to_conv"):
        _check(released / "segmentation-course", MASTERS)
    path.unlink()
    _check(released / "segmentation-course", MASTERS)


def test_the_bundle_is_whole(released, checkout):
    bundle = released / "segmentation-course"
    lessons = {path.name for path in (checkout / "notebooks").glob("[0-9]*.ipynb")}
    assert {path.name for path in (bundle / "notebooks").glob("*.ipynb")} == lessons
    assert {path.parent.name for path in (bundle / "notebooks" / "exercises").rglob("*.ipynb")} == set(MASTERS)
    with zipfile.ZipFile(released / "segmentation-course.zip") as archive:
        names = {path.relative_to(released).as_posix() for path in bundle.rglob("*") if path.is_file()}
        assert set(archive.namelist()) == names
        assert all(archive.read(name) == (released / name).read_bytes() for name in names)
    assert not [name for name in names if re.search(r"test|__pycache__|/text/|/\.|masters/", name)]


def test_the_bundle_is_a_course_of_its_own(released):
    """Its set-up finds all that it needs, and its package can be imported and its weights loaded, from there alone."""
    bundle = released / "segmentation-course"
    code = (
        "import course_utils, tools.lab, tools.setup_env; from course_utils.models import load_trained, list_trained;"
        "[load_trained(name) for name in list_trained()]; print(course_utils.__file__)"
    )
    where = subprocess.run([sys.executable, "-c", code], cwd=bundle, check=True, capture_output=True, text=True)
    assert where.stdout.strip() == str(bundle / "course_utils" / "__init__.py")
    shown = subprocess.run(["make"], cwd=bundle, check=True, capture_output=True, text=True).stdout
    assert "make lab: set up the course" in shown


def test_the_same_release_gives_the_same_bytes(released, tmp_path):
    release(tmp_path)
    for name in ("segmentation-course.zip", "exercises/01_fc_to_conv.zip"):
        assert (tmp_path / name).read_bytes() == (released / name).read_bytes()


def test_some_exercises_only(tmp_path):
    result = CliRunner().invoke(app, ["release", "1", "07_metrics_and_losses", "--to", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    names = {path.name for path in (tmp_path / "out" / "exercises").iterdir()}
    assert names == {"01_fc_to_conv.zip", "07_metrics_and_losses.zip"}
    assert result.stdout.split() == [
        str(tmp_path / "out" / name) for name in ("segmentation-course", "segmentation-course.zip", "exercises")
    ]


def refused(*arguments: object) -> str:
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == 1 and len(result.stderr.splitlines()) == 1, result.output
    return result.stderr


def test_what_is_refused(tmp_path, monkeypatch):
    words = refused("release", "01_fc_to_con", "--to", tmp_path)
    assert "Unknown exercise '01_fc_to_con'. Did you mean '01_fc_to_conv'" in words
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "exercises").mkdir()
    assert "exercises is there already" in refused("release", "--to", tmp_path)
    with pytest.raises(FileNotFoundError, match="there are no exercises here"):
        release(tmp_path / "new", checkout=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["exercises"]


def test_a_release_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr("course_utils.grading.bundle._check", fail)
    with pytest.raises(OSError, match="no space left"):
        release(tmp_path)
    assert list(tmp_path.iterdir()) == []
