"""`make bench`, or `python -m benchmarks [NAME …]`: run every `bench_NAME.py` (or those named), in the names' order."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def names() -> list[str]:
    """The benchmarks that are there: bench_NAME.py is NAME."""
    return sorted(path.stem.removeprefix("bench_") for path in FOLDER.glob("bench_*.py"))


def processor() -> str:
    """The processor's model, as the operating system calls it."""
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def header() -> str:
    """On what the numbers below were taken."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "torch", "torchvision"))
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"{processor()}, {os.cpu_count()} cores{load}\n"
        f"{platform.system()}, Python {platform.python_version()}, {packages}"
    )


def main(arguments: list[str]) -> None:
    """Run the benchmarks that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(names())}")
    chosen = parser.parse_args(arguments).names
    if unknown := set(chosen) - set(names()):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(names())}")
    print(header())
    for name in chosen or names():
        print(f"\n{name}", flush=True)
        started = time.perf_counter()
        import_module(f"benchmarks.bench_{name}").main()
        print(f"({time.perf_counter() - started:.0f} s)", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
