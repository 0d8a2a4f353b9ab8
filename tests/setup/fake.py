"""A checkout whose Python, pip and uv are one shell script: set-up in milliseconds, with every failure at hand."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

import pytest

from tools.setup_env import Environment

SCRIPT = """#!/bin/sh
echo "$(basename "$0") $*" >> "{log}"
case "$*" in
    "-m venv "*) {venv}
        mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && echo "version = {version}.1" > "$3/pyvenv.cfg" ;;
    "-m pip install "*) {pip}
        cp "$0" "$(dirname "$0")/uv" ;;
    "cache dir") echo "{cache}" ;;
    "pip install "*) {uv} echo " + torch==2.0" ;;
esac
"""


class FakeCheckout:
    """A folder with a pyproject.toml, and an interpreter that writes down what it is asked to do."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.environment = Environment(folder)
        (folder / "pyproject.toml").write_text("[project]\n")
        self.interpreter = folder / "python3"
        self.behave()
        monkeypatch.setattr(sys, "executable", str(self.interpreter))
        monkeypatch.delenv("PYTHON", raising=False)

    def behave(self, venv: str = "", pip: str = "", uv: str = "") -> None:
        """Choose what goes wrong: shell commands that run first when a venv is made, and in pip and uv."""
        text = SCRIPT.format(
            log=self.log,
            version=sysconfig.get_python_version(),
            cache=self.folder,
            **{name: f"{command};" if command else "" for name, command in (("venv", venv), ("pip", pip), ("uv", uv))},
        )
        for script in (self.interpreter, self.environment.python, self.environment.uv):
            if script.parent.exists() and (script == self.interpreter or script.exists()):
                script.write_text(text)
                script.chmod(0o755)

    def commands(self) -> list[str]:
        """What was run since the last call, without arguments that are paths."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [line.split(" /")[0] for line in lines]


FRESH = ["python3 -m venv", "python -m pip install --retries=2 uv", "uv cache dir", "uv pip install --python"]
UPDATE = ["uv cache dir", "uv pip install --python"]
