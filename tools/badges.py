"""Refresh the README's table of lessons; with a name, rename the repository wherever it is used.

    make badges                   the table, from the notebooks that are there
    make badges REPO=owner/name   the same, and every link to the repository

Links stand in the README, in CONTRIBUTING, in the text sources and in the notebooks, whose outputs stay as they are.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import nbformat

from tools.notebook_paths import is_exercise, notebooks, sources
from tools.repository import BRANCH, CHECKOUT, repository_name

COLAB = "https://colab.research.google.com"
TABLE = re.compile(r"(<!-- lessons: made by `make badges` -->\n).*?(<!-- end of lessons -->)", re.S)
NAME = re.compile(r"[A-Za-z0-9][\w-]*/[\w.-]+")


def rename(new: str, root: Path = CHECKOUT) -> list[Path]:
    """Make `new` the repository's name, and return the files that changed.

    Raises:
        ValueError: it is not owner/name.
    """
    if not NAME.fullmatch(new):
        raise ValueError(f"the repository's name is {new!r}, expected owner/name, as in make badges REPO=owner/name")
    old = re.compile(rf"(github(?:\.com)?/){re.escape(repository_name(root))}(?![\w-])")
    changed = []
    for path in files(root):
        text = path.read_text(encoding="utf-8")
        renamed = old.sub(rf"\g<1>{new}", text)
        if renamed != text:
            path.write_text(renamed, encoding="utf-8")
            changed.append(path)
    return changed


def files(root: Path = CHECKOUT) -> list[Path]:
    """The files that hold links to the repository."""
    pages = [root / name for name in ("pyproject.toml", "README.md", "CONTRIBUTING.md")]
    return [*pages, *sources(root), *notebooks(root)]


def refresh_table(root: Path = CHECKOUT) -> None:
    """Write the table of lessons into the README."""
    readme = root / "README.md"
    text, found = TABLE.subn(lambda match: match[1] + table(root) + match[2], readme.read_text(encoding="utf-8"))
    if found != 1:
        raise ValueError(f"{readme} has {found} places for the table of lessons, expected one")
    readme.write_text(text, encoding="utf-8")


def table(root: Path = CHECKOUT) -> str:
    """The lessons that are there, each with a link to read it and a badge to run it."""
    rows = ["| Lesson | Run it |", "| --- | --- |"]
    for notebook in notebooks(root):
        if not is_exercise(notebook, root):
            path = notebook.relative_to(root).as_posix()
            rows.append(f"| [{title(notebook)}]({path}) | {badge(path, repository_name(root))} |")
    return "\n".join(rows) + "\n"


def title(notebook: Path) -> str:
    """The heading of a notebook."""
    first = nbformat.read(notebook, as_version=4).cells[0].source
    return re.search(r"^# (.+)$", first, re.M)[1]


def badge(path: str, repository: str) -> str:
    """A badge that opens a notebook of the repository in Google Colab."""
    return f"[![Open in Colab]({COLAB}/assets/colab-badge.svg)]({COLAB}/github/{repository}/blob/{BRANCH}/{path})"


def main(arguments: list[str], root: Path = CHECKOUT) -> int:
    """`python -m tools.badges [OWNER/NAME]`"""
    parser = argparse.ArgumentParser(prog="python -m tools.badges", description=__doc__)
    parser.add_argument("repository", nargs="?", metavar="OWNER/NAME")
    name = parser.parse_args(arguments).repository
    try:
        changed = rename(name, root) if name else []
        refresh_table(root)
    except ValueError as error:
        sys.exit(f"make badges: {error}")
    for path in changed:
        print(path.relative_to(root))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
