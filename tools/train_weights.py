"""`python -m tools.train_weights NAME …`: train the networks that lessons load, and enter them in the table.

On one CPU thread, so that the same versions on the same processor give the same file.
"""

from __future__ import annotations

import argparse
import json
import time
from importlib import import_module

import torch

from course_utils.data.download import file_sha256
from course_utils.models import build_model
from course_utils.models.trained import FOLDER, load_trained, read_table, save_trained
from tools.repository import CHECKOUT
from tools.weights_recipe import Recipe

LARGEST = 2_000_000  # bytes of a file of weights


def names() -> list[str]:
    """The recipes that are there."""
    return sorted(path.stem for path in (CHECKOUT / "tools" / "weights").glob("[a-z]*.py"))


def recipe(name: str) -> Recipe:
    """The recipe in tools/weights/NAME.py."""
    return import_module(f"tools.weights.{name}").RECIPE


def make(name: str) -> None:
    """Train the network of a recipe, write its file and its row, and print what it scores."""
    made = recipe(name)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = build_model(made.model, made.num_classes, made.in_channels, **made.options)
    started = time.process_time()
    made.train(model)
    seconds = time.process_time() - started
    path = FOLDER / f"{name}.safetensors"
    save_trained(model, path)
    if path.stat().st_size > LARGEST:
        raise SystemExit(f"{path.name} has {path.stat().st_size:,} bytes, more than {LARGEST:,}: make it narrower.")
    row = {
        "model": made.model, "num_classes": made.num_classes, "in_channels": made.in_channels,
        "options": made.options, "about": made.about, "scores": {}, "sha256": file_sha256(path),
    }  # fmt: skip
    write_row(name, row)
    row["scores"] = {score: round(value, 4) for score, value in made.score(load_trained(name)).items()}
    write_row(name, row)
    print(f"{name}: {path.stat().st_size:,} bytes, trained in {seconds:.0f} s of CPU time, {row['scores']}")


def write_row(name: str, row: dict) -> None:
    table = read_table() | {name: row}
    text = json.dumps(dict(sorted(table.items())), indent=2, ensure_ascii=False)
    (FOLDER / "weights.json").write_text(text + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("names", nargs="+", choices=names(), metavar="NAME", help=", ".join(names()))
    for name in parser.parse_args().names:
        make(name)


if __name__ == "__main__":
    main()
