"""Where downloads are kept."""

from pathlib import Path

import pytest

from course_utils.data import cache
from course_utils.data.cache import cache_dir


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    monkeypatch.delenv("COURSE_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)


def test_in_the_checkout(checkout):
    assert cache_dir() == checkout / "data" / "cache"


def test_folder_of_ones_own_choice(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "new"))
    assert cache_dir() == tmp_path / "new"
    assert not (tmp_path / "new").exists()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COURSE_CACHE", "here")
    assert cache_dir() == tmp_path / "here"
    monkeypatch.setenv("COURSE_CACHE", "~/there")
    assert cache_dir() == Path.home() / "there"


@pytest.mark.parametrize("there", [(), ("pyproject.toml",), ("data/",)])
def test_installed_without_a_checkout(monkeypatch, tmp_path, there):
    for name in there:
        (tmp_path / name).mkdir() if name.endswith("/") else (tmp_path / name).touch()
    monkeypatch.setattr(cache, "_CHECKOUT", tmp_path)
    assert cache_dir() == Path.home() / ".cache" / "segmentation-course"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "xdg" / "segmentation-course"


def test_empty_setting_is_none(monkeypatch, checkout):
    monkeypatch.setenv("COURSE_CACHE", "")
    assert cache_dir() == checkout / "data" / "cache"
