"""Python, memory and disk."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from packaging.specifiers import SpecifierSet

from course_utils.doctor.findings import Finding, broken, fine, install, optional

ENOUGH_MEMORY, ENOUGH_DISK = 4.0, 2.0
"""GB: what the lessons take at most, and a pretrained VGG16 with room to spare."""


def check_python(version: str | None = None) -> Finding:
    """Whether the course supports this Python (or another `version`)."""
    version = version or platform.python_version()
    try:
        wanted = metadata("segmentation-course")["Requires-Python"]
    except PackageNotFoundError:
        return broken(
            f"Python {version} doesn't know the course",
            f'in the checkout: make lab, or {sys.executable} -m pip install --editable ".[lab]"',
        )
    if not SpecifierSet(wanted).contains(version, prereleases=True):
        return broken(f"Python {version}; the course needs {wanted}", "install a newer Python, then make lab PYTHON=…")
    return fine(f"Python {version} ({sys.executable})")


def check_memory(total: float | None = None) -> Finding:
    """Whether the lessons fit into the machine's memory (or into `total` GB)."""
    import psutil

    total = psutil.virtual_memory().total / 1e9 if total is None else total
    text = f"{total:.1f} GB of memory, {os.cpu_count()} CPU cores"
    if total < ENOUGH_MEMORY:
        return optional(f"{text}; lessons may need {ENOUGH_MEMORY:.0f} GB", "run one notebook at a time")
    return fine(text)


def check_cache() -> list[Finding]:
    """Whether downloads can be kept, and what is kept."""
    try:
        from course_utils.data.cache import cache_dir
    except Exception as error:  # whatever a broken numpy or Pillow raises
        return [broken(f"course_utils.data can't be imported: {error}", install("numpy", "pillow"))]
    folder = cache_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        fix = "permit writing there, or name another folder in the environment variable COURSE_CACHE"
        return [broken(f"downloads can't be kept in {folder}: {error.strerror}", fix)]
    kept = sorted(entry.name for entry in folder.iterdir() if not entry.name.endswith((".lock", ".part")))
    found = fine(f"downloaded data: {', '.join(kept)}") if kept else optional("no downloaded data; no lesson needs any")
    return [fine(f"downloads are kept in {folder}"), check_disk(folder), found]


def check_disk(folder: Path, free: float | None = None) -> Finding:
    """Whether there is room for downloads in `folder` (or whether `free` GB would do)."""
    free = shutil.disk_usage(folder).free / 1e9 if free is None else free
    if free < ENOUGH_DISK:
        return optional(f"only {free:.1f} GB of disk are free", "free some space before you download data or weights")
    return fine(f"{free:.0f} GB of disk are free")
