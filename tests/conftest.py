"""Fixtures that every test may use, and what makes the whole run deterministic."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest
from hypothesis import settings

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores: more threads each would only wait for one another. Read when torch is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# No test is judged by how long it takes: the machine may be busy. In CI every run tries the same examples.
settings.register_profile("course", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("course")

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def seed() -> None:
    """Start every test from the same random state, whichever libraries it has loaded."""
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root folder of the checkout."""
    return CHECKOUT


@pytest.fixture(scope="session")
def shared_datasets() -> Path | None:
    """The folder with the real data sets (camvid, isbi2012) beside the checkout, None where there is none."""
    folder = CHECKOUT.parent / "shared" / "datasets"
    return folder if folder.is_dir() else None
