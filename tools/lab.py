"""`make lab`: set up the environment if need be, start JupyterLab on lesson 00, say how long all of it took."""

from __future__ import annotations

import argparse
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tools.setup_env import CHECKOUT, Environment, SetupError, process_environment

FIRST_LESSON = "00_start_here.ipynb"
USUAL_PORT = 8888


def choose_port(wished: int | None) -> int:
    """The wished port, or the first free one from JupyterLab's usual one on.

    Raises:
        SetupError: it is taken.
    """
    candidates = [wished] if wished else range(USUAL_PORT, USUAL_PORT + 50)
    for port in candidates:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise SetupError(f"port {candidates[0]} is in use. Name another one: make lab PORT=9000")


def answers(port: int) -> bool:
    """Whether a web server answers on this port of the machine, whatever it says."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/api")
        connection.getresponse()
    except OSError:
        return False
    except http.client.HTTPException:
        return True  # it said something that is not HTTP: the student's own settings may ask for HTTPS
    finally:
        connection.close()
    return True


def serve(python: Path, port: int, arguments: list[str], started: float) -> int:
    """Run JupyterLab until it ends, and return its exit status.

    Args:
        python: the environment's Python.
        arguments: more of JupyterLab's own.
        started: when the set-up began, in seconds of `time.monotonic`.
    """
    command = [python, "-m", "jupyterlab", f"--port={port}", "--ServerApp.port_retries=0"]
    command += ["--ServerApp.root_dir=notebooks", f"--LabApp.default_url=/lab/tree/{FIRST_LESSON}"]
    command += ["--ServerApp.answer_yes=True"]  # Ctrl-C stops it at once: under make nobody could answer
    if os.geteuid() == 0:
        command += ["--allow-root"]
    server = subprocess.Popen([*command, *arguments], cwd=CHECKOUT, env=process_environment(python))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server gets it too, and ends
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    while server.poll() is None and not answers(port):
        time.sleep(0.1)
    if server.poll() is None:
        seconds = time.monotonic() - started
        print(f"\nJupyterLab answers on port {port}, {seconds:.1f} s after `make lab`. Ctrl-C ends it.\n", flush=True)
    return server.wait()


def main(arguments: list[str]) -> int:
    """`python -m tools.lab [--port N] [arguments of JupyterLab]`"""
    started = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--port", type=int)
    own, lab_arguments = parser.parse_known_args(arguments)
    try:
        port = choose_port(own.port)
        python = Environment().ensure("lab")
    except SetupError as error:
        sys.exit(f"make lab: {error}")
    return serve(python, port, lab_arguments, started)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
