"""A built notebook as its rules see it, and what several rules ask of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from tools.notebook_paths import ROOT, is_exercise

_OBJECT = re.compile(r"^\w+\(|<|0x[0-9a-fA-F]{6}")
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Document:
    """A notebook, its path below the checkout (with forward slashes), its size in bytes, and its kind."""

    notebook: NotebookNode
    path: str
    size: int
    exercise: bool

    @property
    def markdown(self) -> list[tuple[int, NotebookNode]]:
        """The text cells, each with its number in the notebook (the first cell is 1)."""
        return self._cells("markdown")

    @property
    def code(self) -> list[tuple[int, NotebookNode]]:
        """The code cells, each with its number in the notebook."""
        return self._cells("code")

    def _cells(self, kind: str) -> list[tuple[int, NotebookNode]]:
        numbered = enumerate(self.notebook.cells, start=1)
        return [(number, cell) for number, cell in numbered if cell.cell_type == kind]


def load(path: Path, root: Path = ROOT) -> Document:
    """Read the notebook at `path`."""
    notebook = nbformat.read(path, as_version=4)
    inside = path.resolve().relative_to(root).as_posix()
    return Document(notebook, inside, path.stat().st_size, is_exercise(path.resolve(), root))


def syntax(cell: NotebookNode) -> ast.Module:
    """Return the syntax tree of a code cell; `%` and `!` lines are understood as IPython does."""
    return ast.parse(TransformerManager().transform_cell(cell.source))


def calls(cell: NotebookNode) -> Iterator[tuple[str, ast.Call]]:
    """Yield every call in a code cell with the last part of the called name: `torch.manual_seed(0)` is manual_seed."""
    for node in ast.walk(syntax(cell)):
        if isinstance(node, ast.Call):
            yield called_name(node), node


def called_name(call: ast.Call) -> str:
    """Return the last part of the name that `call` calls, or "" if what it calls has no name."""
    return getattr(call.func, "attr", None) or getattr(call.func, "id", "")


def readable(text: str | None) -> bool:
    """Say whether `text` tells a person what a picture shows: at least three words, not the look of an object."""
    return bool(text) and not _OBJECT.search(text.strip()) and len(_WORD.findall(text)) >= 3


def image_texts(html: str) -> list[str | None]:
    """Return the alternative text of every `<img>` in `html`, None where there is none.

    >>> image_texts('<p>x<img src="a.png"><img alt="A cat &amp; a dog">')
    [None, 'A cat & a dog']
    """
    parser = _ImageTexts()
    parser.feed(html)
    return parser.found


class _ImageTexts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.found.append(dict(attrs).get("alt"))
