"""Small notebooks for the tests of the notebook tools: right ones, and the parts of wrong ones."""

from __future__ import annotations

import copy

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools.colab_cell import CELL
from tools.notebook_document import Document
from tools.notebook_rules_text import COLAB
from tools.notebook_text import code_cells
from tools.repository import BRANCH, repository_name

PATH = "notebooks/07_sample.ipynb"
BADGE = f"[![Open in Colab](badge.svg)]({COLAB}{repository_name()}/blob/{BRANCH}/{PATH})"
TITLE = f"# Sample\n\n{BADGE}"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="

WINDOW = "A window slides over the photo of a cat."


def text(source: str) -> NotebookNode:
    """A text cell."""
    return new_markdown_cell(source)


def code(source: str, *outputs: NotebookNode, tags: tuple[str, ...] = ()) -> NotebookNode:
    """A code cell that ran; `document` numbers it."""
    metadata = {"tags": list(tags)} if tags else {}
    return new_code_cell(source, outputs=list(outputs), metadata=metadata)


def printed(words: str, name: str = "stdout") -> NotebookNode:
    """What a cell printed."""
    return new_output("stream", name=name, text=words)


def shown(**data: str) -> NotebookNode:
    """What a cell displayed; `text_plain="x"` is the type text/plain."""
    return new_output("display_data", data={kind.replace("_", "/", 1): value for kind, value in data.items()})


def right_lesson() -> list[NotebookNode]:
    """The cells of a lesson without a fault."""
    return [
        text(TITLE),
        code(CELL),
        text("## First part\n\n![A cat sits on a mat](cat.png)"),
        code("import random\n\nrandom.seed(1)"),
        text("**Predict.** What is one and one?"),
        code("print(1 + 1)\nassert 1 + 1 == 2", printed("2\n"), tags=("nbval-check-output", "claim:sum")),
        text("### A detail\n\n`# not a heading`\n\n```\n# nor this\n```"),
        code(
            "show(fig, alt='Two lines that cross at zero.')",
            shown(text_html='<img alt="Two lines that cross at zero." src="data:image/png;base64,/tmp/AAAA">'),
            shown(image_png=PIXEL, text_plain=WINDOW, text_html=f'<img alt="{WINDOW}" src="data:image/png,{PIXEL}">'),
        ),
        text("## Further reading"),
    ]


def document(*cells: NotebookNode, exercise: bool = False, path: str = PATH, size: int = 2000) -> Document:
    """The built notebook that holds these cells, its code cells numbered in order."""
    notebook = new_notebook()
    for number, cell in enumerate(cells):
        notebook.cells.append(copy.deepcopy(cell))
        notebook.cells[-1].id = f"cell-{number}"
    for count, cell in enumerate(code_cells(notebook), start=1):
        cell.execution_count = count
    nbformat.validate(notebook)
    return Document(notebook, path, size, exercise)
