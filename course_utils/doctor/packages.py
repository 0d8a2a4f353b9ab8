"""The packages that the course asks for, and the versions it gets."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from course_utils.doctor.findings import Finding, broken, fine, install, optional

PURPOSES = {"lab": "JupyterLab", "test": "tests", "grade": "grading"}
"""What the extras of pyproject.toml are for."""


def check_packages(course: str = "segmentation-course") -> list[Finding]:
    """Whether what the course needs is installed in versions that fit; what only tests and grading need is optional."""
    here = [""] if on_colab() else ["", "lab"]
    try:
        needed = [each for extra in here for each in requirements(course, extra)]
        others = {extra: requirements(course, extra) for extra in PURPOSES if extra not in here}
    except PackageNotFoundError:
        return []  # check_python says so
    found = [broken(text, install(str(each))) for each in needed if (text := misfit(each))]
    if not found:
        found = [fine(f"{len(needed)} packages are installed, all in versions that fit")]
    for extra, wanted in others.items():
        if lacking := [each for each in wanted if misfit(each)]:
            names = ", ".join(each.name for each in lacking)
            found.append(optional(f"for {PURPOSES[extra]} only, and not here: {names}", install(*map(str, lacking))))
    return found


def on_colab() -> bool:
    """Whether this runs on Google Colab, which brings its own notebook server."""
    return "COLAB_RELEASE_TAG" in os.environ


def requirements(package: str, extra: str = "") -> list[Requirement]:
    """What an installed package asks for on this machine, or what one of its extras asks for on top of that.

    Raises:
        PackageNotFoundError: it is not installed.
    """
    every = [Requirement(line) for line in requires(package) or ()]
    chosen = [each for each in every if _applies(each, extra) and not (extra and _applies(each, ""))]
    return [Requirement(f"{each.name}{each.specifier}") for each in chosen if each.name != package]


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def misfit(requirement: Requirement) -> str:
    """How a requirement is not met, "" if it is."""
    try:
        installed = version(requirement.name)
    except PackageNotFoundError:
        return f"{requirement.name} is not installed"
    if requirement.specifier.contains(installed, prereleases=True):
        return ""
    return f"{requirement.name} {installed} is installed, but {requirement.specifier} is needed"
