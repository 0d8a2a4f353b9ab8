"""Where a notebook and its text source live.

    notebooks/text/NN_name.py             ->  notebooks/NN_name.ipynb                        (lesson)
    notebooks/text/exercises/NN_topic.py  ->  notebooks/exercises/NN_topic/NN_topic.ipynb    (exercise)

Every function takes the checkout's root last, so that tests can use another one.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def sources(root: Path = ROOT) -> list[Path]:
    """Return every text source, lessons before exercises, each kind by name."""
    found = (root / "notebooks" / "text").rglob("*.py")
    return sorted(found, key=lambda path: (is_exercise(notebook_of(path, root), root), path.name))


def notebooks(root: Path = ROOT) -> list[Path]:
    """Return every notebook in the folder `notebooks`, whether it has a source or not."""
    found = (root / "notebooks").rglob("*.ipynb")
    return sorted(path for path in found if ".ipynb_checkpoints" not in path.parts)


def notebook_of(source: Path, root: Path = ROOT) -> Path:
    """Return the path of the notebook that is built from `source`."""
    inside = source.relative_to(root / "notebooks" / "text")
    if inside.parts[0] == "exercises":
        return root / "notebooks" / inside.with_suffix("") / f"{inside.stem}.ipynb"
    return root / "notebooks" / inside.with_suffix(".ipynb")


def source_of(notebook: Path, root: Path = ROOT) -> Path:
    """Return the path of the text source that `notebook` is built from."""
    inside = notebook.relative_to(root / "notebooks")
    if inside.parts[0] == "exercises":
        return (root / "notebooks" / "text" / inside.parent).with_suffix(".py")
    return root / "notebooks" / "text" / inside.with_suffix(".py")


def short_name(notebook: Path, root: Path = ROOT) -> str:
    """Return `01_name` for a lesson and `exercises/01_topic` for an exercise."""
    return source_of(notebook, root).relative_to(root / "notebooks" / "text").with_suffix("").as_posix()


def is_exercise(notebook: Path, root: Path = ROOT) -> bool:
    """Say whether `notebook` is an exercise (else it is a lesson)."""
    return notebook.relative_to(root / "notebooks").parts[0] == "exercises"
