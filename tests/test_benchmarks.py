"""`make bench` finds every benchmark, runs them in order, and says on what."""

from __future__ import annotations

import sys
import types

import pytest

from benchmarks import __main__ as bench


@pytest.fixture
def two(monkeypatch, tmp_path):
    """Two benchmarks that print their names."""
    for name in ("zebra", "ant"):
        (tmp_path / f"bench_{name}.py").touch()
        module = types.ModuleType(f"benchmarks.bench_{name}")
        module.main = lambda name=name: print(f"{name} ran")
        monkeypatch.setitem(sys.modules, module.__name__, module)
    (tmp_path / "timing.py").touch()
    monkeypatch.setattr(bench, "FOLDER", tmp_path)


def test_all_run_in_order_under_a_header(two, capsys):
    bench.main([])
    printed = capsys.readouterr().out
    assert printed.index("torch ") < printed.index("ant ran") < printed.index("zebra ran")
    assert "cores" in printed and "timing" not in printed


def test_some_can_be_named(two, capsys):
    bench.main(["zebra"])
    printed = capsys.readouterr().out
    assert "zebra ran" in printed and "ant ran" not in printed


def test_an_unknown_one_is_told(two, capsys):
    with pytest.raises(SystemExit):
        bench.main(["zebu"])
    assert "no benchmark zebu; there are ant, zebra" in capsys.readouterr().err


def test_every_benchmark_here_has_a_main():
    for name in bench.names():
        assert "\ndef main() -> None:" in (bench.FOLDER / f"bench_{name}.py").read_text()
