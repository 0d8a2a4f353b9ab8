"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from course_utils.data.names import unknown

_ACCELERATORS = ("auto", "cpu", "cuda", "mps")
_PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
_WHERE = "Where it runs"  # the box that `--help` shows them in

Run = Annotated[Path, typer.Argument(help="Folder of a run, or one of its checkpoints.", show_default=False)]
Root = Annotated[
    Path | None,
    typer.Option(help="Its folder; by default datasets/DATA in the cache.", metavar="FOLDER", show_default=False),
]
Accelerator = Annotated[
    str, typer.Option(help="cpu, cuda, mps, or auto: the best there is.", metavar="NAME", rich_help_panel=_WHERE)
]
Precision = Annotated[str, typer.Option(help=f"{', '.join(_PRECISIONS)}.", metavar="NAME", rich_help_panel=_WHERE)]
Workers = Annotated[int, typer.Option(help="Processes that load data.", metavar="N", rich_help_panel=_WHERE)]


def check_place(accelerator: str, precision: str) -> None:
    """Raise ValueError for an unknown name, and for a device that this machine lacks."""
    import torch

    for option, value, known in (
        ("accelerator", accelerator, _ACCELERATORS),
        ("precision", precision, _PRECISIONS),
    ):
        if value not in known:
            raise unknown(option, value, known)
    missing = {"cuda": not torch.cuda.is_available(), "mps": not torch.backends.mps.is_available()}
    if missing.get(accelerator):
        raise ValueError(f"accelerator: PyTorch finds no {accelerator} device on this machine. Use auto or cpu.")


def data_options(root: Path | None) -> dict[str, str]:
    """The options of `load_dataset`; the folder by its full name, so that it is found from anywhere."""
    return {} if root is None else {"root": str(root.expanduser().resolve())}
