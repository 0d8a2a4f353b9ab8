"""Checkpoints on disk: whole or absent, and known by their hash.

A file is written beside its place and moved there when it is complete, so that a kill or a full disk leaves the older
ones as they are. Its name holds the first digits of its SHA-256, so that damage is seen before anything is loaded.
Loading never runs code from the file (`weights_only=True`).
"""

from __future__ import annotations

import hashlib
import os
import pickle
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

_NAME = re.compile(r"(?P<kind>last|best)-(?P<step>\d{8})-(?P<hash>[0-9a-f]{16})\.pt")
_KEPT = 2  # of kind "last": the newest, and one to fall back on


class CheckpointError(RuntimeError):
    """A checkpoint can't be used, or not be written; the message says which, why and what to do."""


class CheckpointFolder:
    """The checkpoints of one run: `last-STEP-HASH.pt` to go on from, `best-STEP-HASH.pt` to use.

    say: gets a sentence when something is amiss but the run can go on.
    """

    def __init__(self, folder: Path, say: Callable[[str], None] = print):
        self.folder, self.say = Path(folder), say

    def __bool__(self) -> bool:
        """Whether there is any checkpoint."""
        return bool(self._files("last") or self._files("best"))

    def save(self, kind: str, step: int, state: dict[str, Any]) -> str:
        """Write `state` (tensors, numbers, texts, lists, dicts) and return the file's name.

        Raises CheckpointError when the disk is full or may not be written; nothing half-written stays.
        """
        part = self.folder / f"{kind}.part"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                torch.save(state, file)
                file.flush()
                os.fsync(file.fileno())
            name = f"{kind}-{step:08d}-{_digest(part)}.pt"
            os.replace(part, self.folder / name)
            _sync_folder(self.folder)
        except (OSError, RuntimeError) as error:  # PyTorch's writer reports a full disk as a RuntimeError
            with suppress(OSError):
                part.unlink()
            raise CheckpointError(f"{self.folder}: the checkpoint of step {step} was not saved ({_cause(error)}). "
                                  f"{self._advice()}") from error  # fmt: skip
        return name

    def prune(self, best: str | None) -> None:
        """Delete what is not needed any more: all but the newest two, and but the best."""
        for path in self._files("last")[:-_KEPT] + [path for path in self._files("best") if path.name != best]:
            path.unlink(missing_ok=True)
        for path in self.folder.glob("*.part"):
            path.unlink(missing_ok=True)

    def newest(self) -> dict[str, Any] | None:
        """The newest undamaged checkpoint to go on from; None if there is none at all.

        Raises CheckpointError if there are some, but all are damaged.
        """
        files = self._files("last")
        for path in reversed(files):
            try:
                state = load_checkpoint(path)
            except CheckpointError as error:
                self.say(str(error))
                continue
            if path != files[-1]:
                self.say(f"Using the one before it: {path.name}.")
            return state
        if files:
            raise CheckpointError(f"{self.folder}: all {len(files)} checkpoints are damaged. Start the run anew.")
        return None

    def best(self) -> Path:
        """The file of the best checkpoint; the newest of all if none was called best yet.

        Raises CheckpointError if the folder has none.
        """
        files = self._files("best") or self._files("last")
        if not files:
            raise CheckpointError(f"{self.folder}: no checkpoint there. Train first, or name the folder of a run.")
        return files[-1]

    def _files(self, kind: str) -> list[Path]:
        """Oldest first."""
        if not self.folder.is_dir():
            return []
        named = [(match, path) for path in self.folder.iterdir() if (match := _NAME.fullmatch(path.name))]
        chosen = [(int(match["step"]), path.stat().st_mtime_ns, path) for match, path in named if match["kind"] == kind]
        return [path for _, _, path in sorted(chosen)]

    def _advice(self) -> str:
        files = self._files("last")
        kept = f"The last good one is {files[-1].name}. " if files else ""
        return f"{kept}Make room, or allow writing there, and go on with resume=True."


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint on the CPU, if its content is what its name says.

    Raises CheckpointError for a damaged file, and for one that holds more than tensors and plain values.
    """
    path = Path(path)
    match = _NAME.fullmatch(path.name)
    try:
        if match and _digest(path) != match["hash"]:
            raise CheckpointError(f"{path} is damaged: its content does not fit the hash in its name.")
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error.strerror or error}.") from error
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} holds more than tensors and plain values, or is no checkpoint. It was not loaded: it could run "
            "code on this machine."
        ) from error
    except CheckpointError:
        raise
    except Exception as error:  # on arbitrary bytes PyTorch's reader raises nearly everything there is
        raise CheckpointError(f"{path} is no checkpoint, or a damaged one: {_cause(error)}.") from error


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:16]


def _sync_folder(folder: Path) -> None:
    """Make a renaming outlive a power cut, where the system can."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _cause(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.splitlines()[0].rstrip(".")
