"""The server of the browser tests: it must end with the tests, however these end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.browser.chromium import find_chromium
from tests.browser.kernel_messages import decode, problem_in

OWNER = """
import sys, time
from pathlib import Path
from tests.browser.lab import LabServer
print(LabServer(Path(sys.argv[1])).port, flush=True)
time.sleep(600)
"""


def answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs POSIX signals")
def test_the_server_ends_when_its_owner_is_killed(tmp_path, checkout):
    command = [sys.executable, "-c", OWNER, str(tmp_path / "lab")]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=checkout, text=True)
    port = int(owner.stdout.readline())
    assert answers(port)
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    deadline = time.monotonic() + 60
    while answers(port) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not answers(port)


@pytest.mark.parametrize(
    ("names", "found"), [(["chromium"], "chromium"), (["google-chrome"], "google-chrome"), ([], None)]
)
def test_a_browser_is_found_on_the_path(tmp_path, monkeypatch, names, found):
    for name in names:
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_chromium() == (found and str(tmp_path / found))


@pytest.mark.parametrize(("ci", "outcome"), [("", "skipped"), ("1", "errors")])
def test_without_a_browser_tests_fail_in_ci_and_are_skipped_elsewhere(tmp_path, checkout, ci, outcome):
    test = "tests/browser/test_harness.py::test_what_goes_wrong_by_itself_is_seen"
    environment = os.environ | {"PATH": str(tmp_path), "CI": ci}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib", test]
    run = subprocess.run(command, env=environment, cwd=checkout, capture_output=True, text=True)
    assert outcome in run.stdout.replace("1 error", "1 errors").splitlines()[-1], run.stdout
    assert "no Chromium or Chrome on the PATH: apt-get install chromium" in run.stdout or outcome == "skipped"


def frame(kind: str, content: str, parent: str) -> bytes:
    """A kernel's message in the binary protocol of its websocket."""
    parts = [
        b"iopub",
        f'{{"msg_type": "{kind}"}}'.encode(),
        f'{{"msg_type": "{parent}"}}'.encode(),
        b"{}",
        content.encode(),
    ]
    offsets = [8 * (len(parts) + 2)]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    return b"".join(number.to_bytes(8, "little") for number in (len(offsets), *offsets)) + b"".join(parts)


@pytest.mark.parametrize(
    ("kind", "content", "parent", "problem"),
    [
        ("error", '{"ename": "KeyError", "evalue": "1"}', "execute_request", "kernel: KeyError: 1"),
        ("error", '{"ename": "KeyError", "evalue": "1"}', "comm_msg", "kernel: KeyError: 1"),
        ("stream", '{"text": "Traceback …\\nKeyError: 1\\n"}', "comm_msg", "kernel: error in a callback: KeyError: 1"),
        ("stream", '{"text": "Traceback, told by a lesson"}', "execute_request", None),
        ("stream", '{"text": "hello"}', "comm_msg", None),
        ("status", '{"execution_state": "idle"}', "comm_msg", None),
    ],
)
def test_kernel_messages(kind, content, parent, problem):
    message = decode(frame(kind, content, parent))
    assert (message["channel"], message["header"]["msg_type"]) == ("iopub", kind)
    assert problem_in(message) == problem
