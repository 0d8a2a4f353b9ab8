"""`make test-colab`: run every notebook in a replica of Google Colab, from its own first cell on.

The replica `.venv-colab` holds Colab's versions and nothing else. In each notebook the first cell installs the course
from this checkout, as it would from the repository; then all cells run, in an empty folder. It fails if a cell fails,
or if one of Colab's packages was changed, or if installing took longer than a student would call seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from tools.colab_cell import CELL
from tools.notebook_paths import ROOT, notebooks

PYTHON = "3.13"
REQUIREMENTS = ROOT / "tools" / "colab-requirements.txt"
REPLICA = ROOT / ".venv-colab"
INSTALL_LIMIT = 60.0
"""Seconds that the first cell may take on Colab."""
CELL_TIMEOUT = 300
TERMINAL_COLOR = re.compile(r"\x1b\[[0-9;]*m")


class ReplicaError(Exception):
    """The replica can't be built, or a notebook fails in it; the message is the report."""


def find_python() -> Path:
    """A Python of Colab's version: on PATH, or one that pyenv or uv keeps.

    Raises:
        ReplicaError: there is none.
    """
    name = f"python{PYTHON}"
    pyenv = Path(os.environ.get("PYENV_ROOT", "")) / "versions"
    candidates = [shutil.which(name), *sorted(pyenv.glob(f"{PYTHON}.*/bin/{name}")), _managed_by_uv()]
    for candidate in filter(None, candidates):
        run = subprocess.run([candidate, "--version"], capture_output=True, text=True)
        if run.returncode == 0 and run.stdout.startswith(f"Python {PYTHON}."):
            return Path(candidate)
    raise ReplicaError(
        f"Colab runs Python {PYTHON}, and none is on this machine. Install one (say, `uv python install {PYTHON}`) "
        "and run `make test-colab` again."
    )


def _managed_by_uv() -> str | None:
    run = subprocess.run([_uv(), "python", "find", "--managed-python", PYTHON], capture_output=True, text=True)
    return run.stdout.strip() or None


def _uv() -> str:
    return str(Path(sys.executable).with_name("uv"))


def build(requirements: Path, replica: Path = REPLICA) -> Path:
    """Make the replica, unless it is there with these very requirements, and return its Python.

    Raises:
        ReplicaError: no fitting Python, or uv can't install the requirements.
    """
    stamp, python = replica / "requirements.txt", replica / "bin" / "python"
    if python.exists() and stamp.exists() and stamp.read_text() == requirements.read_text():
        remove(python, set(versions(python)) - json.loads((replica / "packages.json").read_text()).keys())
        return python
    base = find_python()
    print(f"Building the replica in {replica.name} with {base} …", flush=True)
    shutil.rmtree(replica, ignore_errors=True)
    subprocess.run([base, "-m", "venv", replica], check=True)
    install = [_uv(), "pip", "install", "--quiet", "--python", python, "--requirement", requirements]
    if subprocess.run(install).returncode:
        raise ReplicaError(f"uv can't install {requirements}; see above.")
    (replica / "packages.json").write_text(json.dumps(versions(python)))
    shutil.copyfile(requirements, stamp)
    return python


def versions(python: Path) -> dict[str, str]:
    """The packages of an environment and their versions."""
    listed = subprocess.check_output([_uv(), "pip", "list", "--quiet", "--format=json", "--python", python])
    return {package["name"]: package["version"] for package in json.loads(listed)}


def remove(python: Path, packages: set[str]) -> None:
    """Uninstall packages, so that the next notebook finds Colab as it was."""
    if packages:
        subprocess.run([_uv(), "pip", "uninstall", "--quiet", "--python", python, *sorted(packages)], check=True)


def changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What happened to the packages of `before`, one line for each that is not as it was."""
    return [
        f"{name} {version} was {'removed' if name not in after else f'changed to {after[name]}'}"
        for name, version in before.items()
        if after.get(name) != version
    ]


def copy_checkout(folder: Path) -> None:
    """Copy what a clone of this checkout would hold, new files included, so that no build leaves traces in it."""
    listed = subprocess.check_output(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, text=True)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)


@dataclass(frozen=True)
class Run:
    """How a notebook ran: code cells, seconds for the first cell and for the whole, names of packages added."""

    cells: int
    install_seconds: float
    seconds: float
    added: list[str]


def run(notebook: Path, python: Path, source: Path) -> Run:
    """Run a notebook in the replica, and leave the replica as it was.

    Args:
        python: the replica's.
        source: what the first cell installs the course from.

    Raises:
        ReplicaError: a cell fails or did not run, a package of Colab's was changed, or installing took too long.
    """
    document = nbformat.read(notebook, as_version=4)
    code = [cell for cell in document.cells if cell.cell_type == "code"]
    if not code or code[0].source != CELL:
        raise ReplicaError("the first code cell is not the one that installs the course; see tools/colab_cell.py.")
    before = versions(python)
    started, ended = [], []
    with tempfile.TemporaryDirectory(prefix="colab-") as folder:
        client = _client(document, python, Path(folder))
        client.on_cell_execute = lambda cell, cell_index: started.append(time.perf_counter())
        client.on_cell_executed = lambda cell, cell_index, execute_reply: ended.append(time.perf_counter())
        try:
            client.execute(env=_environment(source, Path(folder)), cwd=folder)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            raise ReplicaError("a cell failed:\n" + TERMINAL_COLOR.sub("", str(error))[-3000:]) from None
        finally:
            after = versions(python)
            remove(python, after.keys() - before.keys())
    problems = changes(before, after)
    if any(cell.execution_count is None for cell in code):
        problems.append("not every cell ran")
    if ended[0] - started[0] > INSTALL_LIMIT:
        problems.append(f"installing took {ended[0] - started[0]:.0f} s, more than {INSTALL_LIMIT:.0f}")
    if problems:
        raise ReplicaError("; ".join(problems) + ".")
    return Run(len(code), ended[0] - started[0], ended[-1] - started[0], sorted(after.keys() - before.keys()))


def _client(document: nbformat.NotebookNode, python: Path, folder: Path) -> NotebookClient:
    kernels = folder / "kernels"
    (kernels / "colab").mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Colab", "language": "python"}
    (kernels / "colab" / "kernel.json").write_text(json.dumps(spec))
    manager = AsyncKernelManager(
        kernel_name="colab", kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(kernels)])
    )
    return NotebookClient(document, km=manager, timeout=CELL_TIMEOUT)


def _environment(source: Path, folder: Path) -> dict[str, str]:
    """Colab's marks, and nothing of the environment that this runs in."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL", "COURSE"))}
    path = os.environ["PATH"].split(os.pathsep)
    own = str(Path(sys.executable).parent)
    return kept | {
        "PATH": os.pathsep.join(each for each in path if each != own),
        "COLAB_RELEASE_TAG": "replica",
        "COURSE_SOURCE": str(source),
        "IPYTHONDIR": str(folder / "ipython"),
    }


def main(arguments: list[str]) -> int:
    """`python -m tools.colab_replica [--requirements FILE] [NOTEBOOK …]` (every notebook, if none is named)."""
    parser = argparse.ArgumentParser(prog="python -m tools.colab_replica", description=__doc__)
    parser.add_argument("--requirements", type=Path, default=REQUIREMENTS, help="Colab's packages, name==version")
    parser.add_argument("notebooks", nargs="*", type=Path, metavar="NOTEBOOK")
    options = parser.parse_args(arguments)
    failed = 0
    try:
        python = build(options.requirements)
    except ReplicaError as error:
        sys.exit(f"make test-colab: {error}")
    with tempfile.TemporaryDirectory(prefix="course-") as source:
        copy_checkout(Path(source))
        for notebook in options.notebooks or notebooks():
            try:
                result = run(notebook, python, Path(source))
            except ReplicaError as error:
                failed += 1
                print(f"✗ {notebook.name}: {error}", flush=True)
            else:
                print(
                    f"✓ {notebook.name}: {result.cells} cells in {result.seconds:.1f} s, of which installing took "
                    f"{result.install_seconds:.1f} s (added {', '.join(result.added)})",
                    flush=True,
                )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
