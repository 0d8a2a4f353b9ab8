"""Rules on a notebook's text cells. Each rule yields one line for each fault."""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tools.notebook_document import Document, image_texts
from tools.repository import BRANCH, repository_name

TEXT_PER_CODE = (0.9, 1.6)
"""Text cells per code cell; 1 to 1.5 is the aim."""

COLAB = "https://colab.research.google.com/github/"


def headings(document: Document) -> Iterator[str]:
    """One first-level heading, in the first cell, and no level skipped on the way down."""
    found = [(number, level) for number, cell in document.markdown for level in _heading_levels(cell.source)]
    titles = [number for number, level in found if level == 1]
    if titles != [1]:
        yield f"first-level headings are in cells {titles}; expected exactly one, in cell 1."
    for (_, above), (number, level) in zip(found, found[1:], strict=False):
        if level > above + 1:
            yield f"cell {number}: a heading of level {level} follows one of level {above}; {above + 1} is missing."


def text_share(document: Document) -> Iterator[str]:
    """About as many text cells as code cells, or some more."""
    low, high = TEXT_PER_CODE
    text, code = len(document.markdown), len(document.code)
    if not low * code <= text <= high * code:
        yield f"{text} text cells for {code} code cells; expected {low} to {high} times as many."


def markdown_images(document: Document) -> Iterator[str]:
    """Every image in a text cell has alternative text."""
    for number, cell in document.markdown:
        for text in _markdown_image_texts(cell.source):
            if not text or not text.strip():
                yield f"cell {number}: an image has no alternative text; write ![what it shows](…)."


def badge(document: Document) -> Iterator[str]:
    """The first cell's Colab badge opens this very notebook. Only a lesson must have one."""
    first = document.notebook.cells[0].source if document.notebook.cells else ""
    targets = re.findall(rf"{re.escape(COLAB)}[^\s)\"']*", first)
    own = f"{COLAB}{repository_name()}/blob/{BRANCH}/{document.path}"
    if not targets and not document.exercise:
        yield f"cell 1 has no Colab badge; link one to {own}."
    for target in targets:
        if target != own:
            yield f"cell 1: the Colab badge opens {target}; expected {own}."


def _heading_levels(source: str) -> list[int]:
    return [int(token.tag[1]) for token in _tokens(source) if token.type == "heading_open"]


def _markdown_image_texts(source: str) -> list[str | None]:
    found: list[str | None] = []
    for token in _tokens(source):
        for part in [token, *(token.children or [])]:
            if part.type == "image":
                found.append(part.content)
            elif part.type in ("html_block", "html_inline"):
                found.extend(image_texts(part.content))
    return found


def _tokens(source: str) -> list[Token]:
    return MarkdownIt("commonmark").parse(source)
