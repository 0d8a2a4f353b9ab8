"""A notebook's text source (jupytext's percent format) and its cells, without anything that a run or an editor adds."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

_FORMAT = "py:percent"
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_EDITOR_METADATA = {
    "collapsed",
    "deletable",
    "editable",
    "execution",
    "jp-MarkdownHeadingCollapsed",
    "jupyter",
    "lines_to_next_cell",
    "scrolled",
    "slideshow",
    "trusted",
}
"""Cell metadata that jupytext, a run or an editor leaves behind; the source doesn't keep it."""


def read_source(path: Path) -> NotebookNode:
    """Return the notebook that the text source at `path` describes: cells without outputs."""
    notebook = jupytext.reads(path.read_text(encoding="utf-8"), fmt=_FORMAT)
    return _rebuild(notebook.cells)


def to_text(notebook: NotebookNode) -> str:
    """Return the text source of `notebook`; its outputs are left out."""
    bare = _rebuild(notebook.cells)
    bare.metadata = nbformat.from_dict({"jupytext": {"notebook_metadata_filter": "-all"}})
    return jupytext.writes(bare, fmt=_FORMAT)


def standard_metadata() -> NotebookNode:
    """Return the metadata that every notebook of the course has: a Python kernel, whatever its version."""
    return nbformat.from_dict(_METADATA)


def cells_of(notebook: NotebookNode) -> list[tuple[str, str, dict]]:
    """Return (type, source, metadata that matters) of every cell: what text source and notebook must agree on."""
    return [(cell.cell_type, cell.source, _lasting_metadata(cell)) for cell in notebook.cells]


def tags(cell: NotebookNode) -> list[str]:
    """Return the cell's tags."""
    return cell.metadata.get("tags", [])


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the notebook's code cells, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _lasting_metadata(cell: NotebookNode) -> dict:
    return {key: value for key, value in cell.metadata.items() if key not in _EDITOR_METADATA}


def _rebuild(cells: list[NotebookNode]) -> NotebookNode:
    """Return a new notebook with these cells, bare of outputs, with ids that only follow from what they hold."""
    make = {
        "code": nbformat.v4.new_code_cell,
        "markdown": nbformat.v4.new_markdown_cell,
        "raw": nbformat.v4.new_raw_cell,
    }
    notebook = nbformat.v4.new_notebook(metadata=standard_metadata())
    seen: Counter[str] = Counter()
    for cell in cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[digest] += 1
        cell_id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
        metadata = nbformat.from_dict(_lasting_metadata(cell))
        notebook.cells.append(make[cell.cell_type](cell.source, id=cell_id, metadata=metadata))
    return notebook
