"""`course data`: the real data sets, where they are, how to get them, and whether they are whole."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from course_utils.data.catalogue import CATALOGUE
from course_utils.data.folders import how_to_get, locate, root_folder
from course_utils.data.microscope.classes import CLASSES as CELLS_CLASSES
from course_utils.data.names import unknown
from course_utils.data.street.classes import CLASSES as STREET_CLASSES

app = typer.Typer(no_args_is_help=True, help="List, fetch and check the real data sets.")

_GENERATED = {"cells": len(CELLS_CLASSES), "street_scenes": len(STREET_CLASSES)}  # name -> number of classes

Name = Annotated[str, typer.Argument(help="Name of a data set, as `course data list` prints it.")]
Root = Annotated[
    Path | None, typer.Option(help="Its folder; by default datasets/NAME in the cache.", show_default=False)
]


@app.callback()
def data() -> None:
    """List, fetch and check the real data sets."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")  # ✓ and ✗ in a Windows pipe too


@app.command("list")
def list_datasets() -> None:
    """One line for each data set: its name, its number of classes, where it is or what is missing."""
    for name, num_classes in _GENERATED.items():
        typer.echo(_line(name, num_classes, "generated, needs no files"))
    for name, description in CATALOGUE.items():
        typer.echo(_line(name, description.num_classes, _state(name)))


@app.command()
def get(name: Name, root: Root = None) -> None:
    """Download, unpack and check a data set; or say where to get it and where to put the files (exit status 1)."""
    if _is_generated(name):
        return
    if all(locate(name, split, root) for split in ("train", "val")):
        typer.echo(f"{name} is in {locate(name, 'train', root)}.")
        return
    if CATALOGUE[name].archive is None:
        _stop(f"{name} has to be downloaded by hand. {how_to_get(name, root)}")
    from course_utils.data.obtain import obtain

    typer.echo(f"{CATALOGUE[name].title}. Licence: {CATALOGUE[name].licence}.")
    try:
        obtain(name, root)
    except (OSError, ValueError) as error:
        _stop(str(error))
    _check(name, root)


@app.command()
def check(name: Name, root: Root = None) -> None:
    """Read every image and mask; print counts, the share of each class, and every problem (exit status 1)."""
    if not _is_generated(name):
        _check(name, root)


def _check(name: str, root: Path | None) -> None:
    from course_utils.data.audit import audit, report

    audits = audit(name, root)
    typer.echo(f"{name} in {root_folder(name, root)}\n{report(name, audits)}")
    if any(found.problems for found in audits):
        raise typer.Exit(1)


def _is_generated(name: str) -> bool:
    if name in _GENERATED:
        typer.echo(f"{name} is generated: it needs no files.")
        return True
    if name not in CATALOGUE:
        _stop(str(unknown("data set", name, sorted([*CATALOGUE, *_GENERATED]))))
    return False


def _state(name: str) -> str:
    description = CATALOGUE[name]
    there = [split for split in description.needs if locate(name, split)]
    if there:
        return f"{', '.join(there)} in {locate(name, there[0])}"
    if description.archive:
        return f"not there: course data get {name}"
    return f"not there: download by hand from {description.page}"


def _line(name: str, num_classes: int, state: str) -> str:
    return f"{name:<18} {num_classes:>2} classes  {state}"


def _stop(message: str) -> None:
    typer.echo(message, err=True)
    raise typer.Exit(1)
