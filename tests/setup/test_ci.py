"""`.ci/run` brings what a bare Debian lacks, nothing more, and ends as `make test` does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools.setup_env import CHECKOUT


@pytest.fixture
def run(tmp_path: Path):
    """Run the script with nothing but these programs, all of them fakes that write down how they were called."""

    def run(*programs: str, status: int = 0, has_venv: bool = True) -> tuple[int, list[str]]:
        for name in (*programs, "apt-get"):
            result = {"python3": 0 if has_venv else 1, "make": status}.get(name, 0)
            # apt-get brings make, as the real one does
            more = f'cp "$0" {tmp_path}/make' if name == "apt-get" and "make" not in programs else ":"
            log = f'PATH=/usr/bin:/bin\necho "$(basename $0) $* CI=$CI" >> {tmp_path}/log'
            (tmp_path / name).write_text(f"#!/bin/sh\n{log}\n{more}\nexit {result}\n")
            (tmp_path / name).chmod(0o755)
        (tmp_path / "dirname").symlink_to("/usr/bin/dirname")
        script = ["/bin/bash", str(CHECKOUT / ".ci" / "run")]
        ended = subprocess.run(script, env={"PATH": str(tmp_path)}, stdin=subprocess.DEVNULL, capture_output=True)
        calls = (tmp_path / "log").read_text().splitlines()
        return ended.returncode, [call for call in calls if not call.startswith("python3")]

    return run


def test_with_everything_there_it_only_tests(run):
    assert run("make", "git", "chromium", "python3") == (0, ["make test CI=true"])


def test_a_failure_is_passed_on(run):
    status, _ = run("make", "git", "chromium", "python3", status=2)
    assert status == 2


@pytest.mark.parametrize(
    ("there", "has_venv", "missing"),
    [
        (("make", "git", "python3"), True, "chromium fonts-liberation"),
        (("make", "git", "python3", "chromium"), False, "python3-venv"),
        ((), True, "make git chromium fonts-liberation python3 python3-venv"),
    ],
)
def test_what_is_missing_is_installed_first(run, there, has_venv, missing):
    status, (update, install, test) = run(*there, has_venv=has_venv)
    assert status == 0
    assert update == "apt-get update -qq CI=true"
    assert install.startswith("apt-get install -y ") and install.endswith(f"--no-install-recommends {missing} CI=true")
    assert test == "make test CI=true"
