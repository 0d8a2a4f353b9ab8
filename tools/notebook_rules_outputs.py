"""Rules on what a built notebook holds beside its cells' text: outputs, pictures, size. One line for each fault."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nbformat import NotebookNode

from tools.notebook_document import Document, image_texts, readable
from tools.notebook_text import tags

LARGEST_NOTEBOOK = 1_000_000  # bytes

_ABSOLUTE_PATH = re.compile(r"(?:^|[\s\"'`(\[=,:])(/(?:home|tmp|root|work|Users)/\S*|[A-Z]:\\[\w.]+\\\S*)", re.M)
_ADDRESS = re.compile(r"<[^<>]* at 0x[0-9a-fA-F]+>")
_EMBEDDED = re.compile(r"data:[\w/+.-]+;base64,[A-Za-z0-9+/=]+")
_WIDGET = "application/vnd.jupyter.widget-view+json"


def executed(document: Document) -> Iterator[str]:
    """Every code cell ran, in order, without an error; in a lesson, something came out."""
    counts = [cell.execution_count for _, cell in document.code]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts are {counts}; expected 1 to {len(counts)}: run `make notebooks`."
    for number, _, output in _outputs(document):
        if output.output_type == "error":
            yield f"cell {number} holds an error: {output.ename}."
    if not any(_outputs(document)) and not document.exercise:
        yield "no cell has an output; run `make notebooks`."


def size(document: Document) -> Iterator[str]:
    """The file is small enough for a repository and its pages."""
    if document.size > LARGEST_NOTEBOOK:
        yield f"the notebook has {document.size:,} bytes; at most {LARGEST_NOTEBOOK:,}. Show fewer or smaller pictures."


def no_widget_state(document: Document) -> Iterator[str]:
    """No state of live widgets is saved: without a kernel it only breaks the page."""
    if "widgets" in document.notebook.metadata:
        yield "the notebook's metadata holds widget state; build it with `make notebooks`."
    for number, _, output in _outputs(document):
        if _WIDGET in output.get("data", {}):
            yield f"cell {number} has a live widget saved as its output; build it with `make notebooks`."


def output_alt_text(document: Document) -> Iterator[str]:
    """Every picture that came out has text that says what it shows."""
    for number, _, output in _outputs(document):
        data = output.get("data", {})
        html = image_texts(data.get("text/html", ""))
        if any(not readable(text) for text in html):
            yield f"cell {number}: a picture has no alternative text of three words or more; use show(fig, alt=…)."
        if any(kind.startswith("image/") for kind in data) and not html:
            shown = data.get("text/plain", "nothing")
            yield f"cell {number}: a picture has {shown:.40} for its text, and no <img alt=…>; use show(fig, alt=…)."


def no_absolute_paths(document: Document) -> Iterator[str]:
    """No path of the machine that built the notebook, in no cell and no output."""
    texts = [(number, cell.source) for number, cell in enumerate(document.notebook.cells, start=1)]
    texts += [(number, text) for number, _, output in _outputs(document) for text in printed(output)]
    for number, text in texts:
        for path in _ABSOLUTE_PATH.findall(_EMBEDDED.sub("", text)):
            yield f"cell {number} has the absolute path {path:.60}; a reader's machine has no such folder."


def no_addresses(document: Document) -> Iterator[str]:
    """No output is the address of an object, which tells a reader nothing and changes with every run."""
    for number, _, output in _outputs(document):
        for text in printed(output):
            for address in _ADDRESS.findall(text):
                yield f"cell {number} prints {address:.60}; print what the reader should know of it."


def no_warnings(document: Document) -> Iterator[str]:
    """Nothing came out on stderr, unless the cell is tagged `expects-warning`."""
    for number, cell, output in _outputs(document):
        if output.get("name") == "stderr" and "expects-warning" not in tags(cell):
            yield f"cell {number} wrote to stderr: {output.text.strip():.80} (tag `expects-warning` if it should)."


def marked_outputs(document: Document) -> Iterator[str]:
    """A cell marked for comparison has text to compare: nbval passes without a word otherwise. A lesson marks one."""
    marked = [(number, cell) for number, cell in document.code if "nbval-check-output" in tags(cell)]
    if not marked and not document.exercise:
        yield "no cell is tagged nbval-check-output; tag those whose printed numbers must never change."
    for number, cell in marked:
        if not any(text.strip() for output in cell.outputs for text in printed(output)):
            yield f"cell {number} is tagged nbval-check-output but prints nothing that could be compared."


def printed(output: NotebookNode) -> list[str]:
    """Return every text of an output: what it printed, its plain text, its HTML, its traceback."""
    data = output.get("data", {})
    texts = [output.get("text", ""), *output.get("traceback", [])]
    return texts + [value for kind, value in data.items() if kind.startswith("text/")]


def _outputs(document: Document) -> Iterator[tuple[int, NotebookNode, NotebookNode]]:
    for number, cell in document.code:
        for output in cell.outputs:
            yield number, cell, output
