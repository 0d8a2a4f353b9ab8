"""Exercises may write files: into a folder that goes away with the test."""

from __future__ import annotations

import tempfile

import pytest

pytest.register_assert_rewrite("tests.exercises.marking")


@pytest.fixture(autouse=True)
def temporary_files(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
