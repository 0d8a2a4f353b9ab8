"""`import course_utils` is instant, and its parts know only the parts on their left."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"torch", "torchvision", "numpy", "matplotlib", "timm", "skimage", "ipywidgets", "IPython", "typer"}

# data → models → fc_to_conv, receptive_field → plotting, widgets; the command and its tools stand apart.
LAYERS = {
    "data": 0,
    "models": 1,
    "receptive_field_rules": 2,
    "receptive_field": 2,
    "fc_to_conv": 2,
    "plotting": 3,
    "widgets": 4,
    "doctor": 5,
    "colab": 5,
    "cli": 6,
}


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that a fresh Python has loaded after this statement."""
    code = f"{statement}; import sys; print(*sys.modules)"
    modules = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    return {name.partition(".")[0] for name in modules}


@pytest.mark.parametrize("module", ["course_utils", "course_utils.colab", "course_utils.doctor"])
def test_importing_loads_nothing_heavy(module):
    assert not loaded_by(f"import {module}") & HEAVY


def test_the_command_starts_without_torch():
    assert not loaded_by("import course_utils.cli") & (HEAVY - {"typer"})


def test_every_part_has_a_layer(checkout: Path):
    package = checkout / "course_utils"
    parts = {path.stem for path in package.iterdir() if path.name not in ("__init__.py", "__pycache__")}
    assert parts == LAYERS.keys(), "say in LAYERS where a new part stands"


def test_nothing_imports_from_its_right(checkout: Path):
    package = checkout / "course_utils"
    for path in package.rglob("*.py"):
        part = path.relative_to(package).with_suffix("").parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("course_utils."):
                other = node.module.split(".")[1]
                assert LAYERS[other] <= LAYERS[part], f"{path}: {part} imports {other}, which stands on its right"
