"""Without a network: nothing leaves a guarded process, loopback works, and an attempt is on record."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools.notebook_run import network_attempts, offline_environment

OUTWARD = {
    "urllib": "import urllib.request; urllib.request.urlopen('http://example.com')",
    "a name": "import socket; socket.socket().connect(('example.com', 80))",
    "an address": "import socket; socket.create_connection(('192.0.2.1', 80))",
    "connect_ex": "import socket; socket.socket().connect_ex(('192.0.2.1', 80))",
    "IPv6": "import socket; socket.socket(socket.AF_INET6).connect(('2001:db8::1', 80))",
    "below socket": "import _socket; _socket.socket().connect(('192.0.2.1', 80))",
    "asyncio": "import asyncio; asyncio.run(asyncio.open_connection('192.0.2.1', 80))",
    "a datagram": "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))",
    "a datagram to a name": "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', 0, ('example.com', 9))",
    "a message": "import socket; socket.socket(type=2).sendmsg([b'x'], [], 0, ('192.0.2.1', 9))",
    "getaddrinfo": "import socket; socket.getaddrinfo('example.com', 80)",
    "gethostbyname": "import socket; socket.gethostbyname('example.com')",
    "gethostbyname_ex": "import socket; socket.gethostbyname_ex('example.com')",
    "gethostbyaddr": "import socket; socket.gethostbyaddr('192.0.2.1')",
    "getnameinfo": "import socket; socket.getnameinfo(('192.0.2.1', 80), 0)",
    "a child": "import subprocess, sys; subprocess.run([sys.executable, '-c', "
    "'import socket; socket.gethostbyname(\"example.com\")'], check=True)",
}

LOOPBACK = """
import http.server, socket, threading, urllib.request
server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
for host in ("localhost", "127.0.0.1"):
    try:
        urllib.request.urlopen(f"http://{host}:{server.server_port}/")
    except urllib.error.HTTPError as error:
        assert error.code == 501  # the server was reached
socket.gethostbyname(socket.gethostname())
listener = socket.socket(socket.AF_UNIX)
listener.bind("listener")
listener.listen()
socket.socket(socket.AF_UNIX).connect("listener")
left, right = socket.socketpair()
left.sendall(b"x")
assert right.recv(1) == b"x"
"""


def run(program: str, scratch: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program]
    return subprocess.run(
        command, env=offline_environment(scratch), capture_output=True, text=True, timeout=60, cwd=scratch
    )


@pytest.mark.parametrize("program", OUTWARD.values(), ids=OUTWARD.keys())
def test_nothing_leaves_the_machine(program: str, tmp_path: Path) -> None:
    result = run(program, tmp_path)
    assert result.returncode != 0
    assert "the network is blocked here" in result.stderr
    assert network_attempts(tmp_path)


def test_loopback_works(tmp_path: Path) -> None:
    result = run(LOOPBACK, tmp_path)
    assert result.returncode == 0, result.stderr
    assert network_attempts(tmp_path) == []


def test_a_caught_attempt_is_on_record(tmp_path: Path) -> None:
    result = run("try:\n    " + OUTWARD["urllib"].replace("; ", "\n    ") + "\nexcept OSError:\n    pass", tmp_path)
    assert result.returncode == 0, result.stderr
    assert network_attempts(tmp_path) == ["look up example.com"]


def test_a_local_proxy_is_no_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert "the network is blocked here" in run(OUTWARD["urllib"], tmp_path).stderr
    assert network_attempts(tmp_path) == ["look up example.com"]


def test_an_existing_python_path_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text("ANSWER = 42")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert run("import mine; print(mine.ANSWER)", tmp_path).stdout == "42\n"
