"""Colab's first cell does nothing elsewhere, and what it runs on Colab changes none of the packages that are there."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import packaging
import pytest

from course_utils import colab
from tools.colab_cell import CELL
from tools.colab_replica import changes
from tools.setup_env import CHECKOUT


def make_wheel(folder: Path, name: str, number: str, *headers: str, modules: dict[str, str] | None = None) -> Path:
    """A package, ready for pip: these modules (or an empty one of its name), and these lines in its metadata."""
    info = f"{name}-{number}.dist-info"
    files = modules or {f"{name}.py": ""}
    about = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {number}", *headers]
    files[f"{info}/METADATA"] = "\n".join(about) + "\n"
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    digests = {path: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()) for path, text in files.items()}
    record = "".join(f"{path},sha256={digest.decode().rstrip('=')},\n" for path, digest in digests.items())
    wheel = folder / f"{name}-{number}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in {**files, f"{info}/RECORD": record + f"{info}/RECORD,,\n"}.items():
            archive.writestr(path, text)
    return wheel


class Runtime:
    """A Python of its own in the place of Colab's, with `held` 1.0, and a pip that finds only wheels of ours."""

    def __init__(self, folder: Path) -> None:
        self.python = folder / "venv" / "bin" / "python"
        self.wheels = folder / "wheels"
        self.wheels.mkdir()
        for number in ("0.9", "1.0", "2.0"):
            make_wheel(self.wheels, "held", number)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
        self.environment = kept | {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}
        self.environment |= {"PIP_FIND_LINKS": str(self.wheels)}
        self.run("-m", "pip", "install", "--quiet", "held==1.0")

    def course(self, *needs: str) -> None:
        """Make what the cell installs: the course's module for Colab, in a package with these requirements."""
        names = ("course_utils/__init__.py", "course_utils/colab.py")
        modules = {name: (CHECKOUT / name).read_text(encoding="utf-8") for name in names}
        headers = ["Project-URL: Repository, https://github.com/a/b", *(f"Requires-Dist: {each}" for each in needs)]
        wheel = make_wheel(self.wheels, "segmentation_course", "0.1.0", *headers, modules=modules)
        self.environment |= {"COLAB_RELEASE_TAG": "x", "COURSE_SOURCE": str(wheel)}

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        command = [self.python, *arguments]
        return subprocess.run(command, cwd=self.wheels, env=self.environment, capture_output=True, text=True)

    def packages(self) -> dict[str, str]:
        """What is installed, but for the tools that install."""
        listed = json.loads(self.run("-m", "pip", "list", "--format=json").stdout)
        return {each["name"]: each["version"] for each in listed if each["name"] not in ("pip", "setuptools")}


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> Path:
    """A virtual environment with nothing but pip, and `packaging`, which Colab has."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    (site_packages,) = (folder / "venv").glob("lib/python*/site-packages")
    shutil.copytree(Path(packaging.__file__).parent, site_packages / "packaging")
    return folder


@pytest.fixture
def runtime(bare: Path, tmp_path: Path) -> Runtime:
    shutil.copytree(bare / "venv", tmp_path / "venv", symlinks=True)
    return Runtime(tmp_path)


def test_the_cell_installs_the_course_and_what_is_missing(runtime):
    make_wheel(runtime.wheels, "missing", "3.1")
    runtime.course("missing>=3.0", "held>=1.0", 'jupyterlab>=4; extra == "lab"')
    ran = runtime.run("-c", CELL)
    assert ran.returncode == 0, ran.stderr
    assert runtime.packages() == {"held": "1.0", "missing": "3.1", "segmentation_course": "0.1.0"}
    runtime.environment["COURSE_SOURCE"] = "/nowhere"  # a second time there is nothing to do
    assert runtime.run("-c", CELL).returncode == 0


@pytest.mark.parametrize("needs", ["held>=2.0", "held<1.0", "missing"])
def test_the_cell_fails_rather_than_change_a_package(runtime, needs):
    make_wheel(runtime.wheels, "missing", "3.1", "Requires-Dist: held==2.0")
    runtime.course(needs)
    ran = runtime.run("-c", CELL)
    assert ran.returncode != 0
    assert "none of them was changed" in ran.stderr and "https://github.com/a/b/issues" in ran.stderr
    assert "held" in ran.stderr.split("what pip says")[1]
    assert runtime.packages() == {"held": "1.0", "segmentation_course": "0.1.0"}


def test_without_care_the_package_would_be_changed(runtime):
    runtime.course("held>=2.0")
    runtime.run("-m", "pip", "install", "--quiet", runtime.environment["COURSE_SOURCE"])
    assert runtime.packages()["held"] == "2.0"


def test_the_requirements_are_those_of_the_course_without_extras(monkeypatch):
    asked = []
    monkeypatch.setattr(colab, "install_beside", asked.extend)
    colab.install_requirements()
    names = {requirement.partition(">")[0] for requirement in asked}
    assert {"torch", "anywidget", "segmentation-models-pytorch"} <= names
    assert not {"jupyterlab", "pytest", "nbgrader"} & names
    assert all(">=" in requirement and ";" not in requirement for requirement in asked)


def test_versions_are_those_that_an_import_gets(tmp_path):
    def package(folder: str, directory: str, name: str | None, number: str) -> None:
        info = tmp_path / folder / directory
        info.mkdir(parents=True)
        (info / "METADATA").write_text((f"Name: {name}\n" if name else "") + f"Version: {number}\n")

    package("first", "Some_Package-2.0.dist-info", "Some_Package", "2.0")
    package("second", "some_package-1.0.dist-info", "some-package", "1.0")  # hidden behind the first
    package("second", "tool-1.0.dist-info", "tool", "2.22.1ubuntu1")  # of a Linux distribution
    package("first", "hidden-1.dist-info", "hidden", "1.1build1")
    package("second", "hidden-1.dist-info", "hidden", "1.0")
    package("second", "half.dist-info", None, "1.0")  # half removed
    package("second", "torch-2.11.0.dist-info", "torch", "2.11.0+cu130")
    folders = [str(tmp_path / "first"), str(tmp_path / "second")]
    assert colab.installed_versions(folders) == {"some-package": "2.0", "torch": "2.11.0+cu130"}


def test_versions_here():
    assert colab.installed_versions()["numpy"] == version("numpy")


def run_cell(environment: dict[str, str]) -> list[list[str]]:
    """The commands that the cell runs, in a Python without the course, with these variables."""
    code = (
        "import subprocess, sys\n"
        "sys.modules.pop('course_utils', None)\n"
        "import importlib.util\n"
        "importlib.util.find_spec = lambda name: None\n"
        "subprocess.run = lambda command, check: print(command[1:]) or sys.exit()\n" + CELL
    )
    kept = {name: value for name, value in os.environ.items() if name not in ("COLAB_RELEASE_TAG", "COURSE_SOURCE")}
    output = subprocess.check_output([sys.executable, "-c", code], env=kept | environment, text=True)
    return [ast.literal_eval(line) for line in output.splitlines()]


def test_the_cell_does_nothing_elsewhere():
    assert run_cell({}) == run_cell({"COURSE_SOURCE": "/somewhere"}) == []


def test_the_cell_installs_only_the_course_itself_on_colab():
    (command,) = run_cell({"COLAB_RELEASE_TAG": "x"})
    assert command[:5] == ["-m", "pip", "install", "--quiet", "--no-deps"]
    assert command[5].startswith("https://github.com/") and command[5].endswith("/archive/main.zip")
    (command,) = run_cell({"COLAB_RELEASE_TAG": "x", "COURSE_SOURCE": "/somewhere"})
    assert command[5] == "/somewhere"


def test_the_cell_is_short_enough_to_read():
    assert len(CELL.splitlines()) <= 12


def test_the_replica_sees_every_change_and_nothing_else():
    before = {"torch": "2.11.0", "numpy": "2.1.3", "tqdm": "4.67.3"}
    assert changes(before, {**before, "timm": "1.0"}) == []
    after = {"torch": "2.12.0", "tqdm": "4.67.3"}
    assert changes(before, after) == ["torch 2.11.0 was changed to 2.12.0", "numpy 2.1.3 was removed"]
