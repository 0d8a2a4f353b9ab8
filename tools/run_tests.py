"""`make test`: set up the environment if need be, run the linter and every test, say how long all of it took."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from tools.setup_env import CHECKOUT, Environment, SetupError, process_environment


def main(arguments: list[str]) -> int:
    """`python -m tools.run_tests [--slow]`"""
    started = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--slow", action="store_true", help="run the tests marked `slow` as well")
    slow = parser.parse_args(arguments).slow
    try:
        python = Environment().ensure("lab", "test", "grade")
    except SetupError as error:
        sys.exit(f"make test: {error}")
    ready = time.monotonic()
    where = {"cwd": CHECKOUT, "env": process_environment(python)}
    lint = subprocess.call([python, "-m", "ruff", "check"], **where)
    # loadscope: the cells of one notebook stay with one worker, which holds its kernel. No reorder: scopes of few tests
    # would go last, and the lessons in a browser are few and long.
    command = [python, "-m", "pytest", "-n", "2", "--dist", "loadscope", "--no-loadscope-reorder"]
    command += [] if slow else ["-m", "not slow"]
    tests = subprocess.call(command, **where)
    ended = time.monotonic()
    verdict = "failed" if lint or tests else "passed"
    print(f"make test: {verdict} in {ended - started:.0f} s, of which set-up took {ready - started:.0f} s", flush=True)
    return lint or tests


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
