"""`make lab` starts a real JupyterLab on lesson 00, says when it answers, and ends with it."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from tools import lab
from tools.setup_env import CHECKOUT, SetupError

SERVE = """
import sys, time
from pathlib import Path
from tools import lab
sys.exit(lab.serve(Path(sys.executable), {port}, ["--no-browser", "--IdentityProvider.token=t"], time.monotonic()))
"""


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(log: Path, text: str) -> None:
    """Wait until the server has written this."""
    deadline = time.monotonic() + 120
    while text not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_real_server_answers_and_stops(tmp_path, port, stop):
    log = tmp_path / "log"
    folders = {f"JUPYTER_{name}_DIR": str(tmp_path / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    keyboard, terminal = pty.openpty()  # JupyterLab heeds Ctrl-C where somebody can type
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE.format(port=port)],
            cwd=CHECKOUT,
            env=os.environ | folders,
            stdin=terminal,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
        )
    try:
        wait_for(log, f"JupyterLab answers on port {port}, ")
        assert f"/lab/tree/{lab.FIRST_LESSON}?token=" in log.read_text()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/contents?token=t") as answer:
            listed = {entry["name"] for entry in json.load(answer)["content"]}
        assert {path.name for path in (CHECKOUT / "notebooks").glob("*.ipynb")} <= listed
        if stop == signal.SIGINT:
            os.killpg(process.pid, stop)  # as a terminal does: to the command and to the server
        else:
            process.terminate()
        process.wait(timeout=60)
        assert not lab.answers(port)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        os.close(terminal)
        os.close(keyboard)


def test_the_first_lesson_is_there():
    assert (CHECKOUT / "notebooks" / lab.FIRST_LESSON).is_file()


def test_a_taken_port_is_passed_over_unless_it_was_named(monkeypatch, port):
    monkeypatch.setattr(lab, "USUAL_PORT", port)
    assert lab.choose_port(None) == port
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        assert lab.choose_port(None) > port
        with pytest.raises(SetupError, match=f"port {port} is in use"):
            lab.choose_port(port)


def test_answers_means_that_somebody_answers(port):
    assert not lab.answers(port)
    server = http.server.HTTPServer(("127.0.0.1", port), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert lab.answers(port)  # 501: it has nothing to give, but it is there
    finally:
        server.shutdown()
        server.server_close()
