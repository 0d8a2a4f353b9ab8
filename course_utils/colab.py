"""Install what the course needs on Google Colab without changing one of Colab's own packages."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib import invalidate_caches
from importlib.metadata import distributions, metadata, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version


def install_requirements() -> None:
    """Install the course's requirements, its extras aside, and nothing that would change an installed package.

    Raises:
        RuntimeError: pip found no way to do so; nothing was changed.
    """
    needed = [Requirement(line) for line in requires("segmentation-course") or ()]
    install_beside([str(each) for each in needed if each.marker is None or each.marker.evaluate({"extra": ""})])


def install_beside(requirements: list[str]) -> None:
    """Install `requirements` with pip, every package that is there held at its version.

    Raises:
        RuntimeError: that is not possible, with pip's reason.
    """
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("".join(f"{name}=={held}\n" for name, held in installed_versions().items()))
        command = [sys.executable, "-m", "pip", "install", "--constraint", constraints, *requirements]
        pip = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if pip.returncode:
        address = metadata("segmentation-course")["Project-URL"].split(", ")[1]
        raise RuntimeError(
            "the course can't be installed beside the packages of this runtime, and none of them was changed. "
            f"Please report this at {address}/issues with what pip says:\n{pip.stdout[-1500:].strip()}"
        )
    invalidate_caches()


def installed_versions(path: list[str] | None = None) -> dict[str, str]:
    """The version that an import gets of every installed package, by normalised name.

    Left out is what pip could not hold anyway: half-removed packages without a name, and versions that only a Linux
    distribution understands, such as 2.22.1ubuntu1.

    path: the folders to look through, those of `sys.path` unless named.
    """
    found: dict[str, str] = {}
    for package in distributions(path=sys.path if path is None else path):
        name = package.metadata["Name"]
        if name:
            found.setdefault(canonicalize_name(name), package.version)  # the first on the path hides the others
    return {name: held for name, held in found.items() if _is_version(held)}


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True
