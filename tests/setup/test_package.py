"""What is installed: the whole package and nothing else, and no requirement that is not written down."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distribution, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tools.setup_env import CHECKOUT

SOURCES = ["course_utils", "tools", "tests", "benchmarks"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """A wheel of this checkout, built in a copy: a build leaves its traces in the folder that it is made in."""
    folder = tmp_path_factory.mktemp("wheel")
    junk = shutil.ignore_patterns(".venv*", ".git", "build", "*.egg-info", "__pycache__", "cache")
    shutil.copytree(CHECKOUT, folder / "checkout", ignore=junk)
    code = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, folder], cwd=folder / "checkout", check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


def test_the_wheel_holds_the_whole_package_and_nothing_else(wheel):
    files = {name for name in wheel.namelist() if ".dist-info/" not in name}
    here = [path.relative_to(CHECKOUT) for path in (CHECKOUT / "course_utils").rglob("*") if path.is_file()]
    assert files == {path.as_posix() for path in here if "__pycache__" not in path.parts}
    assert any(name.endswith(".js") for name in files)
    assert not any("test" in name for name in files)


def test_the_wheel_carries_both_licences(wheel):
    licences = {Path(name).name for name in wheel.namelist() if "/licenses/" in name}
    assert licences == {"LICENSE", "LICENSE-text"}


def imports(folder: str) -> set[tuple[str, str]]:
    """The modules of others that the files of a folder import, each with a file that does."""
    found = set()
    for path in (CHECKOUT / folder).rglob("*.py"):
        own = {*SOURCES, *sys.stdlib_module_names, *(beside.stem for beside in path.parent.iterdir())}
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            modules = {name.partition(".")[0] for name in names} - own
            found |= {(module, str(path.relative_to(CHECKOUT))) for module in modules}
    return found


def modules_of(*extras: str) -> set[str]:
    """The top-level modules of the packages that pyproject.toml asks for, with these extras."""
    found = set()
    for requirement in map(Requirement, requires("segmentation-course")):
        environments = [{"extra": extra} for extra in ("", *extras)]
        if requirement.marker is None or any(map(requirement.marker.evaluate, environments)):
            found |= {Path(file.parts[0]).stem for file in distribution(requirement.name).files}
    return found


@pytest.mark.parametrize(
    ("folder", "extras"),
    [("course_utils", ("lab", "grade")), *((name, ("lab", "grade", "test")) for name in SOURCES[1:])],
)
def test_every_import_is_declared(folder, extras):
    declared = modules_of(*extras)
    missing = [f"{file} imports {module}" for module, file in sorted(imports(folder)) if module not in declared]
    assert missing == [], "add them to pyproject.toml"


def test_only_lower_bounds():
    for line in requires("segmentation-course"):
        for bound in Requirement(line).specifier:
            assert bound.operator == ">=", f"{line}: pins and caps are what breaks a course on Colab"


def test_conda_installs_what_pyproject_names():
    text = (CHECKOUT / "environment.yml").read_text()
    extras = set(re.search(r"--editable \.\[([\w,]+)\]", text).group(1).split(","))
    table = (CHECKOUT / "pyproject.toml").read_text().split("[project.optional-dependencies]\n")[1].split("\n[")[0]
    assert extras == set(re.findall(r"^(\w+) = ", table, re.M))
    python = re.search(r"- python=(3\.\d+)\b", text).group(1)
    colab = (CHECKOUT / "tools/colab-requirements.txt").read_text()
    assert f"Python {python})" in colab, "the Python that make test-colab tries"
