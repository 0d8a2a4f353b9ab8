"""Ctrl-C, Jupyter's stop button and a polite kill end a run between two steps, not within one."""

from __future__ import annotations

import signal
import threading
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class TrainingInterrupted(KeyboardInterrupt):
    """Training was stopped from outside; what it had learned was saved if it has a folder."""


class StopRequest:
    """Inside `with StopRequest() as stop`, `stop.asked` turns true when the user wants to stop.

    A second request stops at once. In a thread other than the main one, where Python delivers no signals, nothing is
    changed.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
