"""The student bundle: all that a student needs, and nothing that they should not have."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat

from course_utils.grading.masters import CHECKOUT, find_masters, hidden_tests, lines, read_notebook
from course_utils.grading.student import student_version

BUNDLE = "segmentation-course"
# What a student's folder is made of, besides lessons and exercises. Tests stay out: they hold right answers.
_PARTS = (
    "course_utils", "data/README.md", "environment.yml", "pyproject.toml", "LICENSE", "LICENSE-text",
    "tools/__init__.py", "tools/lab.py", "tools/python.sh", "tools/setup_env.py",
)  # fmt: skip
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*", "student_files")
_STUDENT_FILES = Path(__file__).parent / "student_files"
_NEVER_CHANGES = (1980, 1, 1, 0, 0, 0)  # so that the same release gives the same bytes


def release(folder: Path, exercises: Sequence[str] = (), checkout: Path = CHECKOUT) -> list[Path]:
    """Write the student bundle into `folder`, and return what was written there.

    A folder `segmentation-course` with all lessons, the student versions of the exercises (all, or those named) and
    what `make lab` needs; the same as a zip; and one zip for each exercise, `exercises/NN_topic.zip`.

    Raises ValueError for an unknown exercise, or if an assertion of a hidden test were found in any file;
    FileExistsError if there is a release in `folder` already. Then nothing is written.
    """
    masters = find_masters(exercises, checkout)
    names = [BUNDLE, f"{BUNDLE}.zip", "exercises"]
    for name in names:
        if (folder / name).exists():
            raise FileExistsError(f"{folder / name} is there already. Delete it, or name another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".release-") as temporary:
        work = Path(temporary)
        _fill(work / BUNDLE, checkout, masters)
        _check(work / BUNDLE, masters)
        _zip(work / BUNDLE, work / f"{BUNDLE}.zip", BUNDLE)
        (work / "exercises").mkdir()
        for name in masters:
            _zip(work / BUNDLE / "notebooks" / "exercises" / name, work / "exercises" / f"{name}.zip", name)
        for name in names:
            (work / name).rename(folder / name)
    return [folder / name for name in names]


def _fill(bundle: Path, checkout: Path, masters: dict[str, Path]) -> None:
    for part in _PARTS:
        source, target = checkout / part, bundle / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=_LEFT_OUT)
        else:
            shutil.copy(source, target)
    for path in _STUDENT_FILES.iterdir():
        shutil.copy(path, bundle / path.name)
    (bundle / "notebooks").mkdir()
    for lesson in sorted((checkout / "notebooks").glob("[0-9]*.ipynb")):
        shutil.copy(lesson, bundle / "notebooks" / lesson.name)
    for name, master in masters.items():
        target = bundle / "notebooks" / "exercises" / name / f"{name}.ipynb"
        target.parent.mkdir(parents=True)
        nbformat.write(student_version(read_notebook(master), name), target)


def _check(bundle: Path, masters: dict[str, Path]) -> None:
    """Look for the assertions of hidden tests in every file. (Lines of solutions may be taught in a lesson.)"""
    hidden = {name: hidden_tests(read_notebook(path)) for name, path in masters.items()}
    secrets = {line: name for name, tests in hidden.items() for line in tests if "assert" in line}
    for path in _files(bundle):
        if path.suffix == ".ipynb":
            text = "\n".join(cell.source for cell in read_notebook(path).cells)
        else:
            text = path.read_bytes().decode("utf-8", errors="replace")
        for line in sorted(lines(text) & secrets.keys()):
            raise ValueError(f"{path.relative_to(bundle)} shows a hidden test of {secrets[line]}: {line!r}.")


def _zip(folder: Path, target: Path, name: str) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in _files(folder):
            entry = zipfile.ZipInfo(f"{name}/{path.relative_to(folder).as_posix()}", _NEVER_CHANGES)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if path.suffix == ".sh" else 0o644) << 16
            archive.writestr(entry, path.read_bytes())


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
