"""How a command ends when it can't do what it was asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

_INTERRUPTED = 130  # as in any shell after Ctrl-C


@contextmanager
def one_line_errors() -> Iterator[None]:
    """What the user can mend ends in one line and exit status 1; Ctrl-C in one line and 130."""
    try:
        yield
    except KeyboardInterrupt as interruption:
        _leave(_INTERRUPTED, _message(interruption) or "stopped", interruption)
    except (OSError, ValueError, TypeError, FloatingPointError) as error:
        _leave(1, _message(error), error)
    except RuntimeError as error:
        # PyTorch raises it for anything, a bug of ours too: that one keeps its traceback.
        import torch

        from course_utils.training import CheckpointError

        if isinstance(error, torch.OutOfMemoryError):
            _leave(1, "the GPU's memory is full. Use a smaller --batch-size or --crop, or --accelerator cpu.", error)
        if not isinstance(error, CheckpointError):
            raise
        _leave(1, _message(error), error)


def _message(error: BaseException) -> str:
    """What an error says, in one line, and in the command's words."""
    text = str(error)
    if isinstance(error, OSError) and error.filename and error.strerror:
        text = f"{error.filename}: {error.strerror}."
    if "\nOriginal Traceback" in text:  # of a process that loads data; the error itself is its last line
        text = text.strip().splitlines()[-1].partition(": ")[2]
    return " ".join(text.split()).replace("resume=True", "--resume").replace("pretrained=False", "--no-pretrained")


def _leave(status: int, message: str, error: BaseException) -> None:
    print(f"course: {message}", file=sys.stderr)
    raise typer.Exit(status) from error
