"""Networks that took longer to train than a lesson may: small files of weights that come with the course.

Each was made by a recipe in `tools/weights`, by `python -m tools.train_weights NAME`. The table `weights.json` beside
the files says which network it is, what it was trained on, what it scores and what its file's hash is.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from course_utils.data.download import file_sha256
from course_utils.data.names import unknown
from course_utils.models.build import build_model

FOLDER = Path(__file__).resolve().parents[1] / "weights"


def list_trained() -> list[str]:
    """Names that `load_trained` knows."""
    return sorted(read_table())


def load_trained(name: str) -> nn.Module:
    """The network `name` with its trained weights, in evaluation mode.

    Its files hold 16-bit numbers; the network computes in 32 bits. What it takes and gives is in `trained_facts(name)`.

    Raises ValueError for an unknown name, and if the file is not the one that the table names.
    """
    facts = trained_facts(name)
    path = FOLDER / f"{name}.safetensors"
    actual = file_sha256(path)
    if actual != facts["sha256"]:
        raise ValueError(
            f"{path.name} has the sha256 {actual}, expected {facts['sha256']}: it is damaged or from another version. "
            f"Get the file again, or make it by `python -m tools.train_weights {name}`."
        )
    model = build_model(facts["model"], facts["num_classes"], facts["in_channels"], **facts["options"])
    model.load_state_dict(load_file(path))  # casts to the model's own types
    return model.eval()


def trained_facts(name: str) -> dict[str, Any]:
    """A trained network's row in the table: `model`, `num_classes`, `in_channels`, `options`, `about`, `scores`."""
    table = read_table()
    if name not in table:
        raise unknown("trained network", name, sorted(table))
    return table[name]


def save_trained(model: nn.Module, path: Path) -> None:
    """Write a network's state to `path`, floating-point numbers in 16 bits."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    save_file({name: t.to(torch.float16) if t.is_floating_point() else t for name, t in state.items()}, path)


def read_table() -> dict[str, dict[str, Any]]:
    """The rows of `weights.json` by name."""
    return json.loads((FOLDER / "weights.json").read_text(encoding="utf-8"))
