"""Run notebooks from top to bottom with nbval and no network: `python -m tools.notebook_nbval [NOTEBOOK …]`.

A cell that raises fails, and so does a cell tagged `nbval-check-output` that prints something else than the notebook
holds (notebook_sanitize.cfg says what may differ), and so does any attempt to reach the network, even a caught one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from tools.notebook_paths import ROOT, notebooks
from tools.notebook_run import CELL_TIMEOUT, network_attempts, offline_environment

_SANITIZE = Path(__file__).resolve().with_name("notebook_sanitize.cfg")


@dataclass(frozen=True)
class Validation:
    """How a run went: code cells that ran, seconds (wall clock, kernel start included), what failed."""

    cells: int
    seconds: float
    failure: str | None


def validate(notebook: Path) -> Validation:
    """Run `notebook` in this environment's kernel, in the notebook's folder, and compare its marked cells."""
    with tempfile.TemporaryDirectory(prefix="nbval-") as name:
        scratch = Path(name)
        results = scratch / "results.xml"
        start = time.perf_counter()
        run = subprocess.run(
            _command(notebook.resolve(), scratch, results),
            cwd=notebook.resolve().parent,
            env=offline_environment(scratch) | {"PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        seconds = time.perf_counter() - start
        cells = len(list(ElementTree.parse(results).iter("testcase"))) if results.exists() else 0
        failure = None
        if attempts := network_attempts(scratch):
            failure = "reached for the network:\n  " + "\n  ".join(sorted(set(attempts)))
        elif run.returncode != 0:
            failure = (run.stdout + run.stderr)[-6000:]
    return Validation(cells, seconds, failure)


def main(names: list[str]) -> int:
    """Validate the named notebooks (all, if none is named); return the exit status."""
    status = 0
    for path in [Path(name) for name in names] or notebooks():
        result = validate(path)
        print(f"{os.path.relpath(path, ROOT)}: {result.cells} cells in {result.seconds:.1f} s")
        if result.failure:
            print(result.failure)
            status = 1
    return status


def _command(notebook: Path, scratch: Path, results: Path) -> list[str]:
    """Return a pytest command that knows nothing but nbval: not the checkout's settings, plugins or conftest."""
    settings = scratch / "pytest.ini"
    settings.write_text("[pytest]\n", encoding="utf-8")
    pytest = [sys.executable, "-m", "pytest", "-c", str(settings), "--rootdir", str(notebook.parent), "--noconftest"]
    nbval = ["-p", "nbval.plugin", "--nbval-lax", "--nbval-current-env", "--nbval-sanitize-with", str(_SANITIZE)]
    limits = [f"--nbval-cell-timeout={CELL_TIMEOUT}", "-p", "no:cacheprovider", "--color=no", "--tb=short"]
    return [*pytest, *nbval, *limits, f"--junitxml={results}", str(notebook)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
