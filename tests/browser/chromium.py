"""Real Chromium, driven by Playwright, that can reach nothing but this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
)


def find_chromium() -> str | None:
    """Path of the machine's Chromium or Chrome, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser, closed at the end.

    Raises:
        FileNotFoundError: no Chromium or Chrome on the PATH.
    """
    executable = find_chromium()
    if executable is None:
        raise FileNotFoundError(f"no browser: install Debian's chromium package ({', '.join(NAMES)} not on PATH)")
    # Chromium refuses to sandbox itself for root, which is who runs tests in a container.
    sandbox = [] if getattr(os, "geteuid", lambda: 1)() else ["--no-sandbox"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=[*FLAGS, *sandbox])
        try:
            yield browser
        finally:
            browser.close()
