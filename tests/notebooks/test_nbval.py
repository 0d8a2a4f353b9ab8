"""Every notebook of this checkout runs from top to bottom without a network, and its marked cells print the same."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from tools.notebook_nbval import validate
from tools.notebook_paths import notebooks, short_name
from tools.notebook_text import code_cells


# pytest-xdist's --dist loadscope takes what comes before the last "::" for the scope whose tests go to one worker:
# with this ending every notebook is a scope of its own, so notebooks run side by side.
@pytest.mark.parametrize("notebook", notebooks(), ids=lambda path: f"{short_name(path)}::")
def test_the_notebook_runs(notebook: Path, request: pytest.FixtureRequest) -> None:
    result = validate(notebook)
    report = f"{short_name(notebook)}: {result.cells} cells in {result.seconds:.1f} s, kernel start included"
    request.node.add_report_section("call", "time of the notebook", report)
    assert not result.failure, f"{report}\n{result.failure}"
    assert result.cells == len(code_cells(nbformat.read(notebook, as_version=4)))
