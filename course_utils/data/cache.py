"""Where downloads are kept."""

import os
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[2]


def cache_dir() -> Path:
    """The folder for downloads; it need not exist yet.

    It is the folder named by COURSE_CACHE; else `data/cache` of the course's checkout; else, for an installed
    course, `segmentation-course` in the user's cache folder (XDG_CACHE_HOME or ~/.cache).
    """
    if chosen := os.environ.get("COURSE_CACHE"):
        return Path(chosen).expanduser().resolve()
    if (_CHECKOUT / "pyproject.toml").is_file() and (_CHECKOUT / "data").is_dir():
        return _CHECKOUT / "data" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "segmentation-course"
