"""The commands find a Python that is new enough, or say in one line that there is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools.setup_env import CHECKOUT


@pytest.fixture
def run(tmp_path: Path):
    """Run python.sh with nothing but these interpreters on PATH: "old" ones, "new" ones and "broken" ones."""
    kinds = {
        "old": 'case "$1" in -c) exit 1;; *) echo "too old to run"; exit 3;; esac',
        "new": f'echo "ran by $(basename $0)"; exec {sys.executable} "$@"',
        "broken": "exit 127",
    }

    def run(interpreters: dict[str, str], **variables: str) -> subprocess.CompletedProcess:
        for name, kind in interpreters.items():
            (tmp_path / name).write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{kinds[kind]}\n")
            (tmp_path / name).chmod(0o755)
        (tmp_path / "dirname").symlink_to("/usr/bin/dirname")
        command = ["/bin/sh", str(CHECKOUT / "tools/python.sh"), "colab_cell"]
        return subprocess.run(command, env={"PATH": str(tmp_path)} | variables, capture_output=True, text=True)

    return run


def test_python3_is_used_if_it_is_new_enough(run):
    result = run({"python3": "new", "python3.12": "new"})
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1].strip() == "install_requirements()"
    assert "ran by python3\n" in result.stdout and "python3.12" not in result.stdout


@pytest.mark.parametrize("kind", ["old", "broken"])
def test_a_newer_one_is_found_behind_one_that_will_not_do(run, kind):
    result = run({"python3": kind, "python": kind, "python3.11": "new"})
    assert "ran by python3.11\n" in result.stdout and "too old to run" not in result.stdout


@pytest.mark.parametrize("interpreters", [{}, {"python3": "old", "python": "broken"}])
def test_none_is_told_in_one_line(run, interpreters):
    result = run(interpreters)
    assert result.returncode == 1 and result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert "Python 3.10 or later" in result.stderr and "apt-get install python3" in result.stderr


def test_a_named_python_is_the_only_candidate(run):
    result = run({"python3": "new", "python3.12": "old"}, PYTHON="python3.12")
    assert result.returncode == 1 and "none of these is one: python3.12." in result.stderr


def test_the_version_check_accepts_3_10_and_refuses_3_9():
    line = next(line for line in (CHECKOUT / "tools/python.sh").read_text().splitlines() if "sys.exit" in line)
    expression = line.split("sys.exit(")[1].split(")' ")[0]
    for version, refused in [((3, 9, 18), True), ((3, 10, 0), False), ((4, 0), False), ((2, 7, 18), True)]:
        assert eval(expression, {"sys": type("sys", (), {"version_info": version})}) is refused
