"""Set-up makes a whole environment or none, once, and says in one line what stopped it."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.setup.fake import FRESH, UPDATE, FakeCheckout
from tools import setup_env
from tools.setup_env import CHECKOUT, DiskFull, SetupError

DISK_FULL = "echo 'error: Failed to extract torch: No space left on device (os error 28)'; exit 2"
NO_NETWORK = "echo 'error: Failed to fetch: error sending request for url'; exit 2"


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCheckout:
    return FakeCheckout(tmp_path, monkeypatch)


def test_second_set_up_runs_nothing(fake):
    assert fake.environment.ensure("lab") == fake.folder / ".venv/bin/python"
    assert fake.commands() == FRESH
    fake.environment.ensure("lab")
    assert fake.commands() == []


def test_more_extras_and_a_changed_pyproject_update_what_is_there(fake):
    fake.environment.ensure("lab")
    fake.commands()
    fake.environment.ensure("lab", "test")
    assert fake.commands() == UPDATE
    fake.environment.ensure("lab")  # all of it is there
    assert fake.commands() == []
    (fake.folder / "pyproject.toml").write_text("[project]\nversion = '2'\n")
    fake.environment.ensure("lab")
    assert fake.commands() == UPDATE
    assert json.loads(fake.environment.stamp.read_text())["extras"] == ["lab", "test"]


def test_the_extras_reach_uv(fake):
    fake.environment.ensure("test", "lab")
    assert fake.log.read_text().splitlines()[-1].endswith(f"--editable {fake.folder}[lab,test]")


@pytest.mark.parametrize("step", ["venv", "pip", "uv"])
@pytest.mark.parametrize(("failure", "advice"), [(DISK_FULL, "disk is full"), (NO_NETWORK, "Check the network")])
def test_a_failure_is_one_line_and_leaves_no_environment(fake, step, failure, advice):
    fake.behave(**{step: failure})
    with pytest.raises(SetupError, match=advice) as caught:
        fake.environment.ensure("lab")
    assert "\n" not in str(caught.value)
    assert not fake.environment.folder.exists()
    fake.behave()
    fake.commands()
    fake.environment.ensure("lab")
    assert fake.commands() == FRESH


def test_an_unknown_failure_shows_what_was_said(fake):
    fake.behave(uv="echo 'torch has no wheels for this platform'; exit 1")
    with pytest.raises(SetupError, match="torch has no wheels for this platform"):
        fake.environment.ensure("lab")


def test_an_update_without_network_keeps_the_old_environment_and_is_tried_again(fake):
    fake.environment.ensure("lab")
    fake.commands()
    fake.behave(uv=NO_NETWORK)
    with pytest.raises(SetupError, match="network"):
        fake.environment.ensure("lab", "test")
    assert fake.environment.python.exists()
    fake.behave()
    fake.commands()
    fake.environment.ensure("lab")  # as it was
    assert fake.commands() == []
    fake.environment.ensure("test")
    assert fake.commands() == UPDATE


def test_an_update_on_a_full_disk_is_not_trusted(fake):
    fake.environment.ensure("lab")
    fake.behave(uv=DISK_FULL)
    with pytest.raises(DiskFull):
        fake.environment.ensure("lab", "test")
    fake.behave()
    fake.commands()
    fake.environment.ensure("lab")
    assert fake.commands() == FRESH


@pytest.mark.parametrize("step", ["venv", "pip", "uv"])
def test_a_killed_set_up_starts_anew(fake, step):
    fake.behave(**{step: "kill -9 $PPID; exit"})
    code = (
        f"import sys; sys.executable = {str(fake.interpreter)!r}\n"
        f"from pathlib import Path; from tools.setup_env import Environment\n"
        f"Environment(Path({str(fake.folder)!r})).ensure('lab')"
    )
    python = f"{sys.base_prefix}/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    assert subprocess.run([python, "-c", code], cwd=CHECKOUT).returncode == -9
    assert fake.environment.folder.exists()
    fake.behave()
    fake.commands()
    fake.environment.ensure("lab")
    assert fake.commands() == FRESH


def test_a_moved_checkout_gets_an_environment_of_its_own(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    FakeCheckout(tmp_path / "here", monkeypatch).environment.ensure("lab")
    (tmp_path / "here").rename(tmp_path / "there")
    moved = FakeCheckout(tmp_path / "there", monkeypatch)
    moved.commands()
    moved.environment.ensure("lab")
    assert moved.commands() == FRESH


def test_another_python_is_used_only_when_it_was_named(fake, monkeypatch):
    fake.environment.ensure("lab")
    config = fake.environment.folder / "pyvenv.cfg"
    config.write_text("version = 3.9.1\n")
    fake.commands()
    fake.environment.ensure("lab")
    assert fake.commands() == []
    monkeypatch.setenv("PYTHON", "python3")
    fake.environment.ensure("lab")
    assert fake.commands() == FRESH


def test_an_environment_made_by_hand_is_built_upon_and_never_removed(fake):
    subprocess.run([fake.interpreter, "-m", "venv", fake.environment.folder], check=True)
    (fake.environment.folder / "mine").touch()
    fake.behave(uv=DISK_FULL)
    with pytest.raises(DiskFull):
        fake.environment.ensure("lab")
    fake.behave()
    fake.environment.ensure("lab")
    assert (fake.environment.folder / "mine").exists()
    fake.commands()
    fake.environment.ensure("lab")
    assert fake.commands() == []


@pytest.mark.parametrize(
    "words",
    [
        "The virtual environment was not created successfully because ensurepip is not\navailable.",  # Debian
        "/usr/bin/python3: No module named venv",
        "ModuleNotFoundError: No module named 'ensurepip'",
    ],
)
def test_a_python_without_venv_is_told(fake, words):
    fake.behave(venv=f'echo "{words}"; exit 1')
    with pytest.raises(SetupError, match="apt-get install python3-venv") as caught:
        fake.environment.ensure("lab")
    assert "\n" not in str(caught.value) and str(fake.interpreter) in str(caught.value)
    assert not fake.environment.folder.exists()


def test_a_full_disk_is_told_though_venv_hides_it(fake, monkeypatch):
    usage = type(shutil.disk_usage("/"))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**9, 10**9, 10**6))
    fake.behave(venv='echo "Error: Command ensurepip returned non-zero exit status 1."; exit 1')
    with pytest.raises(DiskFull):
        fake.environment.ensure("lab")


def test_a_disk_that_fills_up_at_the_very_end_is_told_too(fake):
    fake.behave(uv=f"ln -sf /dev/full {fake.environment.stamp}")  # /dev/full refuses every write
    with pytest.raises(DiskFull):
        fake.environment.ensure("lab")
    assert not fake.environment.folder.exists()


def test_a_stamp_that_was_broken_off_means_a_fresh_start(fake):
    fake.environment.ensure("lab")
    fake.environment.stamp.write_text('{"checkout": "/so')
    fake.commands()
    fake.environment.ensure("lab")
    assert fake.commands() == FRESH


def test_a_read_only_checkout_is_told():
    error = setup_env.diagnose("OSError: [Errno 30] Read-only file system: '.venv'", Path("/usr/.venv"))
    assert "/usr can't be written to" in str(error)


def test_progress_is_shown_and_the_rest_is_not(fake, capfd):
    fake.behave(uv="echo 'Resolved 3 packages'; echo 'warning: something'; echo 'Downloading torch (500MiB)'")
    fake.environment.ensure("lab")
    shown = capfd.readouterr().out
    assert "Resolved 3 packages" in shown and "Downloading torch (500MiB)" in shown
    assert "warning" not in shown and "torch==2.0" not in shown


def test_on_a_terminal_uv_believes_it_has_one(fake, monkeypatch):
    reader, writer = pty.openpty()
    fake.behave(uv="test -t 1 && echo bar-drawn")
    with os.fdopen(writer, "w") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        fake.environment.ensure("lab")
    shown = b""
    with contextlib.suppress(OSError):  # the other end is closed: that was all
        while chunk := os.read(reader, 4096):
            shown += chunk
    os.close(reader)
    assert b"bar-drawn" in shown


def test_on_a_terminal_a_failure_is_understood_too(fake, monkeypatch):
    reader, writer = pty.openpty()
    fake.behave(uv=NO_NETWORK)
    with os.fdopen(writer, "w") as terminal, os.fdopen(reader, "rb"):
        monkeypatch.setattr(sys, "stdout", terminal)
        with pytest.raises(SetupError, match="Check the network"):
            fake.environment.ensure("lab")


def test_uv_copies_only_where_the_cache_is_on_another_disk(fake, monkeypatch):
    fake.environment.ensure("lab")
    monkeypatch.delenv("UV_LINK_MODE", raising=False)
    assert fake.environment._link_mode() == {}
    fake.environment.uv.write_text("#!/bin/sh\necho /proc/nowhere\n")  # /proc is a file system of its own
    assert fake.environment._link_mode() == {"UV_LINK_MODE": "copy"}
    monkeypatch.setenv("UV_LINK_MODE", "symlink")
    assert fake.environment._link_mode() == {}


def unreachable(**more: str) -> dict[str, str]:
    """Variables that send pip and uv to a port of this machine where nobody listens."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    index = "http://127.0.0.1:9/simple"
    return kept | {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": index, "UV_DEFAULT_INDEX": index} | more


def test_what_pip_and_uv_really_say_without_network_is_understood(tmp_path):
    pip = [sys.executable, "-m", "pip", "install", "--retries=2", "--target", tmp_path / "t", "not-on-this-machine"]
    uv = [Path(sys.executable).with_name("uv"), "pip", "install", "--target", tmp_path / "t", "not-on-this-machine"]
    for command in (pip, uv):
        run = subprocess.run(
            command,
            env=unreachable(UV_CACHE_DIR=str(tmp_path / "cache"), UV_NO_CONFIG="1"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert run.returncode != 0
        assert "Check the network" in str(setup_env.diagnose(run.stdout, tmp_path)), run.stdout
