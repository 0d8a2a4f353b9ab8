"""Where the files of the real data sets lie, and what to tell who has not got them."""

from __future__ import annotations

import os
from pathlib import Path

from course_utils.data.cache import cache_dir
from course_utils.data.catalogue import CATALOGUE


def root_folder(name: str, root: str | os.PathLike | None = None) -> Path:
    """The folder of a data set: `root`, or by default datasets/NAME in the cache. It need not exist."""
    return (cache_dir() / "datasets" / name if root is None else Path(root).expanduser()).resolve()


def locate(name: str, split: str, root: str | os.PathLike | None = None) -> Path | None:
    """The folder in which the layout of a data set begins, if it has what the split needs; else None."""
    description, folder = CATALOGUE[name], root_folder(name, root)
    starts = [start for place in description.inside for start in (sorted(folder.glob(place)) if place else [folder])]
    return next((start for start in starts if all((start / part).exists() for part in description.needs[split])), None)


def require(name: str, split: str, root: str | os.PathLike | None = None) -> Path:
    """Like `locate`, but raise FileNotFoundError, which says what to do, instead of returning None."""
    start = locate(name, split, root)
    if start is None:
        needs = " and ".join(CATALOGUE[name].needs[split])
        raise FileNotFoundError(
            f"{name}: nothing of the split {split!r} in {root_folder(name, root)}: expected {needs} there. "
            f"{how_to_get(name, root)}"
        )
    return start


def how_to_get(name: str, root: str | os.PathLike | None = None) -> str:
    """What to do to have a data set in its root folder, in a few sentences."""
    description, folder = CATALOGUE[name], root_folder(name, root)
    option = "" if root is None else f" --root {folder}"
    command = f"Run `course data get {name}{option}`, or do it by hand: " if description.archive else ""
    return (
        f"{command}{description.page} ({description.licence}). {description.steps} Put the files so that "
        f"{folder} has {description.layout}. Then run `course data check {name} --root {folder}`."
    )
