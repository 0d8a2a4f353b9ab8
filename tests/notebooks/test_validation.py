"""The gate that every notebook passes, tried on notebooks that must not pass."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat

from tests.notebooks.samples import code, document, printed, shown
from tools.notebook_nbval import Validation, validate

MARKED = ("nbval-check-output",)


def result_of(folder: Path, *cells: nbformat.NotebookNode) -> Validation:
    path = folder / "sample.ipynb"
    nbformat.write(document(*cells).notebook, path)
    return validate(path)


def test_what_may_differ_between_runs_passes(tmp_path: Path) -> None:
    picture = "<img alt='A cat' src='data:image/png;base64,{}'>"
    result = result_of(
        tmp_path,
        code("import os\nfrom IPython.display import display"),
        code("print(2 / 3)", printed("something else, unmarked")),
        code("print(os.path.basename(os.getcwd()) != '')", printed("True\n"), tags=MARKED),
        code("print(object())", printed("<object object at 0x7fffffff0000>\n"), tags=MARKED),
        code("print('took 1.25 s, then 3 ms')", printed("took 99.1 s, then 17 ms\n"), tags=MARKED),
        code(f"print({'0' * 31 + '1'!r})", printed("f" * 32 + "\n"), tags=MARKED),
        code(
            f"display({{'text/html': {picture.format('AAAA')!r}}}, raw=True)",
            shown(text_html=picture.format("B+/=")),
            tags=MARKED,
        ),
    )
    assert result.failure is None, result.failure
    assert result.cells == 7
    assert result.seconds > 0


WRONG = {
    "Cell 1: Cell execution caused an exception": code("1 / 0"),
    "Cell 2: Cell outputs differ": code("print(2)", printed("3\n"), tags=MARKED),
    "Cell 3: Cell outputs differ": code(
        "from IPython.display import display\ndisplay({'text/html': '<img alt=\"A dog\">'}, raw=True)",
        shown(text_html='<img alt="A cat">'),
        tags=MARKED,
    ),
    "Cell 4: Cell outputs differ": code("print(2)", tags=MARKED),
    "Cell 5: Cell outputs differ": code("2;", printed("2\n"), tags=MARKED),
}


def test_each_wrong_cell_fails(tmp_path: Path) -> None:
    result = result_of(tmp_path, code("1"), *WRONG.values())
    # (With CI set, pytest says it all again in its summary.)
    assert list(dict.fromkeys(re.findall(r"^Cell \d: .*$", result.failure, re.M))) == list(WRONG)
    assert "5 failed, 1 passed" in result.failure


def test_a_caught_network_error_fails(tmp_path: Path) -> None:
    caught = "import urllib.request\ntry:\n    urllib.request.urlopen('http://192.0.2.1')\nexcept OSError:\n    pass"
    result = result_of(tmp_path, code(caught))
    assert result.failure == "reached for the network:\n  look up 192.0.2.1"
