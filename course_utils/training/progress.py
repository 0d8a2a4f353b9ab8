"""Progress bars."""

from __future__ import annotations

import os
from typing import Any

from tqdm.auto import tqdm


def progress_bar(shown: bool, **options: Any) -> tqdm:
    """A bar that is shown or not; the environment variable TQDM_DISABLE=1 hides all of them, in notebooks too."""
    return tqdm(disable=not shown or bool(os.environ.get("TQDM_DISABLE")), **options)
