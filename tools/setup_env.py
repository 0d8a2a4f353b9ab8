"""Make `.venv` from nothing but a Python ≥ 3.10: create it, let pip bring uv, let uv install the course.

Standard library only. A stamp in `.venv` says what the environment was made from: with it a second call takes
milliseconds, and a half-made environment (killed, disk full, no network) is never mistaken for a whole one.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import sysconfig
import termios
from collections.abc import Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
UNFINISHED = {"state": "unfinished"}

# What uv says on the way to success; the rest of its output is shown only if it fails for a reason not known here.
PROGRESS = ("Resolved", "Downloading", "Downloaded", "Building", "Built", "Prepared", "Uninstalled", "Installed")
NO_VENV = re.compile(r"ensurepip is not\s+available|No module named '?(venv|ensurepip)")
DISK_FULL = re.compile(r"No space left on device|Disk quota exceeded", re.I)
READ_ONLY = re.compile(r"Permission denied|Read-only file system", re.I)
NETWORK = re.compile(
    r"error sending request|dns error|connect error|connection (broken|refused|reset)|Failed to fetch|"
    r"NewConnectionError|name resolution|timed out|network is unreachable",
    re.I,
)


class SetupError(Exception):
    """Set-up can't go on; the message is one line that says what to do."""


class DiskFull(SetupError):
    """No room is left, so that anything may have been cut off."""


class Environment:
    """The virtual environment `.venv` of one checkout.

    One that has no stamp was made by hand: the course is installed into it, and nothing of it is removed.
    """

    def __init__(self, checkout: Path = CHECKOUT) -> None:
        self.checkout = checkout
        self.folder = checkout / ".venv"
        self.python = self.folder / "bin" / "python"
        self.uv = self.folder / "bin" / "uv"
        self.stamp = self.folder / "course-setup.json"

    def ensure(self, *extras: str) -> Path:
        """Make or update the environment, if need be, and return its Python.

        Args:
            extras: the extras of pyproject.toml to install, beside those that are there already.

        Raises:
            SetupError: it could not be made; one line says what to do.
        """
        try:
            before = self._read_stamp()
            anew = not self._is_usable(before)
            wanted = self._description({*extras, *([] if anew else before.get("extras", []))})
            if anew or before != wanted:
                self._build(before, wanted, anew)
        except OSError as error:
            raise diagnose(str(error), self.folder) from error
        return self.python

    def _is_usable(self, stamp: dict) -> bool:
        """Whether what is there can be built upon: whole, of the wished Python, in the place it was made in."""
        if stamp == UNFINISHED or not self.python.exists():
            return False
        moved = stamp.get("checkout", str(self.checkout)) != str(self.checkout)
        wished = sysconfig.get_python_version() if "PYTHON" in os.environ else self._version()
        return not moved and self._version() == wished

    def _version(self) -> str:
        """The environment's Python, as in "3.12"."""
        found = re.search(r"^version\w* = (\d+\.\d+)", (self.folder / "pyvenv.cfg").read_text(), re.M)
        return found.group(1) if found else "unknown"

    def _description(self, extras: set[str]) -> dict:
        return {
            "checkout": str(self.checkout),
            "extras": sorted(extras),
            "pyproject": hashlib.sha256((self.checkout / "pyproject.toml").read_bytes()).hexdigest(),
        }

    def _build(self, before: dict, wanted: dict, anew: bool) -> None:
        try:
            if anew:
                self._create()
            elif before:
                self._write_stamp(UNFINISHED)
            self._install(wanted["extras"])
            self._write_stamp(wanted)
        except (SetupError, OSError) as error:
            if anew:
                shutil.rmtree(self.folder, ignore_errors=True)
            elif before and type(error) is SetupError:
                self._write_stamp(before)  # uv changes nothing before it has everything: still the old environment
            raise

    def _create(self) -> None:
        print(f"Making .venv with Python {sysconfig.get_python_version()} …", flush=True)
        if self.folder.exists():
            shutil.rmtree(self.folder)
        self.folder.mkdir()
        self._write_stamp(UNFINISHED)
        self._run(sys.executable, "-m", "venv", self.folder)

    def _install(self, extras: list[str]) -> None:
        if not self.uv.exists():
            self._run(self.python, "-m", "pip", "install", "--retries=2", "uv")
        print("Installing the course (the first time this takes some minutes) …", flush=True)
        target = f"{self.checkout}[{','.join(extras)}]"
        self._run(self.uv, "pip", "install", "--python", self.python, "--editable", target)

    def _run(self, *command: str | Path) -> None:
        """Run a command, show how it gets on, and turn its failure into one line."""
        environment = os.environ | self._link_mode() if self.uv.exists() else None
        if command[0] == self.uv and sys.stdout.isatty():
            output, status = run_in_terminal(command, environment)
        else:
            output, status = run_quietly(command, environment)
        if status:
            raise diagnose(output, self.folder)

    def _link_mode(self) -> dict[str, str]:
        """What keeps uv from warning that it can't hard-link from a cache on another disk."""
        cache = Path(subprocess.check_output([self.uv, "cache", "dir"], text=True).strip())
        while not cache.exists():
            cache = cache.parent
        one_disk = cache.stat().st_dev == self.folder.stat().st_dev
        return {} if one_disk or "UV_LINK_MODE" in os.environ else {"UV_LINK_MODE": "copy"}

    def _read_stamp(self) -> dict:
        try:
            return json.loads(self.stamp.read_text())
        except FileNotFoundError:
            return {}
        except ValueError:  # its writing was broken off
            return UNFINISHED

    def _write_stamp(self, stamp: dict) -> None:
        self.stamp.write_text(json.dumps(stamp))


def run_quietly(command: Sequence[str | Path], environment: dict | None) -> tuple[str, int]:
    """Run a command and show only the lines that tell of progress; return all its output and its exit status."""
    lines = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=environment
    ) as process:
        for line in process.stdout:
            lines.append(line)
            if line.strip().startswith(PROGRESS):
                print(" ", line.strip(), flush=True)
    return "".join(lines), process.returncode


def run_in_terminal(command: Sequence[str | Path], environment: dict | None) -> tuple[str, int]:
    """The same for someone who watches: the command believes it has the terminal, and draws its progress bars."""
    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, fcntl.ioctl(sys.stdout, termios.TIOCGWINSZ, bytes(8)))
    chunks = []
    with subprocess.Popen(command, stdout=writer, stderr=writer, env=environment) as process:
        os.close(writer)
        with contextlib.suppress(OSError), open(reader, "rb", buffering=0) as stream:  # EIO: it has ended
            while chunk := stream.read(4096):
                chunks.append(chunk)
                sys.stdout.buffer.write(chunk)
                sys.stdout.buffer.flush()
    return b"".join(chunks).decode(errors="replace"), process.returncode


def process_environment(python: Path) -> dict[str, str]:
    """The variables for what runs in the environment: its commands are found first, and compiled modules are kept.

    Compiled modules: without them every process that imports torch would take 5 s longer.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}


def diagnose(output: str, folder: Path) -> SetupError:
    """The error for a command that failed with this output: one line for the usual causes, else all it said."""
    free = shutil.disk_usage(folder.parent).free / 1e9
    if DISK_FULL.search(output) or free < 0.05:  # making a venv hides why it failed
        return DiskFull(
            f"the disk is full: {free:.1f} GB are free in {folder.parent}, and the course needs about 7 GB there and "
            "in uv's cache (a quota counts too). Free some space and run the same command again."
        )
    if NO_VENV.search(output):
        return SetupError(
            f"{sys.executable} can't make virtual environments: a part of Python is missing. Install it "
            "(Debian, Ubuntu: apt-get install python3-venv) or name another Python: make lab PYTHON=…"
        )
    if READ_ONLY.search(output):
        return SetupError(
            f"{folder.parent} can't be written to ({READ_ONLY.search(output).group().lower()}). Clone the course "
            "into a folder of your own and run the same command there."
        )
    if NETWORK.search(output):
        return SetupError(
            "no package index can be reached. Check the network (behind a proxy set HTTPS_PROXY; for a mirror set "
            "PIP_INDEX_URL and UV_DEFAULT_INDEX) and run the same command again."
        )
    return SetupError(f"installing failed for a reason that these last lines tell:\n{output[-3000:].rstrip()}")


def main(arguments: list[str]) -> None:
    """`python -m tools.setup_env EXTRA…`"""
    try:
        Environment().ensure(*arguments)
    except SetupError as error:
        sys.exit(f"Set-up stopped: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
