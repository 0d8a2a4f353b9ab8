"""The repository's name, which stands in one place: the Repository address in pyproject.toml."""

from __future__ import annotations

import re
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
BRANCH = "main"


def repository_name(checkout: Path = CHECKOUT) -> str:
    """The repository as owner/name.

    Raises:
        ValueError: pyproject.toml does not name it.
    """
    text = (checkout / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'^Repository = "https://github\.com/([\w.-]+/[\w.-]+)"$', text, re.M)
    if not found:
        raise ValueError('pyproject.toml has no line: Repository = "https://github.com/owner/name"')
    return found.group(1)
