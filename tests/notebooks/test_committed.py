"""The notebooks of this checkout: in step with their text sources, and made as the rules say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.notebook_paths import notebooks, short_name, sources
from tools.notebook_structure import problems_of
from tools.notebooks import out_of_step


def test_there_are_notebooks() -> None:
    assert sources()


def test_every_notebook_is_in_step_with_its_text_source() -> None:
    assert out_of_step() == []


@pytest.mark.parametrize("notebook", notebooks(), ids=short_name)
def test_the_notebook_keeps_every_rule(notebook: Path) -> None:
    assert problems_of(notebook) == []
