"""`import course_utils` is instant, and its parts know only the parts on their left."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "torch", "torchvision", "lightning_fabric", "tensorboard", "segmentation_models_pytorch", "timm",
    "numpy", "scipy", "skimage", "nibabel", "PIL", "matplotlib", "ipywidgets", "IPython", "typer",
}  # fmt: skip

# data → layers → models → losses, metrics, fc_to_conv, receptive_field … → training → plotting, widgets → commands; the
# command and its tools stand apart.
LAYERS = {
    "data": 0,
    "layers": 1,
    "models": 2,
    "weights": 2,
    "losses": 3,
    "metrics": 3,
    "receptive_field_rules": 3,
    "receptive_field": 3,
    "fc_to_conv": 3,
    "alignment": 3,
    "weight_maps": 3,
    "tiling": 3,
    "training": 4,
    "plotting": 5,
    "widgets": 6,
    "doctor": 7,
    "colab": 7,
    "grading": 7,
    "commands": 8,
    "cli": 9,
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


def parts_imported(source: str) -> set[str]:
    """The parts of the course that a module imports, in whichever of the three forms.

    >>> sorted(parts_imported("import course_utils.data.cache; from course_utils import losses as l, metrics"))
    ['data', 'losses', 'metrics']
    >>> parts_imported("from course_utils.models.build import build_model; from torch import nn")
    {'models'}
    """
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("course_utils.")}


def test_nothing_imports_from_its_right(checkout: Path):
    package = checkout / "course_utils"
    for path in package.rglob("*.py"):
        part = path.relative_to(package).with_suffix("").parts[0]
        for other in parts_imported(path.read_text(encoding="utf-8")) & LAYERS.keys():
            assert LAYERS[other] <= LAYERS[part], f"{path}: {part} imports {other}, which stands on its right"
