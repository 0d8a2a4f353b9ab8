"""A small CamVid, the command `course` without a process of its own, and a run that it has trained."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from course_utils.cli import app
from tests.commands.camvid_files import make_camvid

TINY = ("--model", "small_fcn", "--data", "camvid", "--crop", 36, 48, "--batch-size", 4, "--accelerator", "cpu")


def course(*arguments: object):
    """The result of a command: `exit_code`, `stdout`, `stderr`. What is no user's error is raised."""
    result = CliRunner().invoke(app, [*map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def refused(*arguments: object) -> str:
    """What a command that must fail says: one line on stderr, exit status 1."""
    result = course(*arguments)
    assert result.exit_code == 1, result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("course: "), result.stderr
    assert result.stdout == ""
    return lines[0]


@pytest.fixture(scope="session")
def camvid(tmp_path_factory) -> Path:
    return make_camvid(tmp_path_factory.mktemp("camvid"))


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path) -> None:
    """Run in an empty folder, with an empty cache."""
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def run(camvid, tmp_path_factory) -> Path:
    """Folder of a run of five epochs, of two steps each."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    result = course("train", *TINY, "--root", camvid, "--epochs", 5, "--lr", 0.02, "--folder", folder)
    assert result.exit_code == 0, result.output
    return folder
