"""`course evaluate` and `course predict`: what a trained network is good for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from course_utils.commands.errors import one_line_errors
from course_utils.commands.options import Accelerator, Precision, Root, Run, Workers, check_place, data_options


def evaluate(
    run: Run,
    split: Annotated[str, typer.Option(help="train, val or test.", metavar="NAME")] = "test",
    root: Root = None,
    accelerator: Accelerator = "auto",
    precision: Precision = "32-true",
    workers: Workers = 0,
) -> None:
    """Score a trained network on a split of its data set, at full size."""
    with one_line_errors():
        from dataclasses import replace

        from course_utils.commands.recipe import trained
        from course_utils.training import evaluate as score

        check_place(accelerator, precision)
        recipe, model, file = trained(run)
        if root is not None:
            recipe = replace(recipe, data_options=data_options(root))
        dataset = recipe.whole_images(split)
        matrix = score(model, dataset, num_workers=workers, accelerator=accelerator, precision=precision, progress=True)
        print(f"{recipe.model} on {recipe.data} {split}, {len(dataset)} images ({file})")
        width = max(map(len, dataset.classes))
        for name, iu in zip(dataset.classes, matrix.iu().tolist(), strict=True):
            print(f"  {name:{width}}  IoU {iu:.4f}")
        print(f"acc {matrix.acc():.4f}  acc_cls {matrix.acc_cls():.4f}  ", end="")
        print(f"mean_iu {matrix.mean_iu():.4f}  fw_iu {matrix.fw_iu():.4f}")


def predict(
    run: Run,
    image: Annotated[Path, typer.Argument(help="An image file.", show_default=False)],
    to: Annotated[
        Path | None,
        typer.Option(help="Picture to write; by default IMAGE-overlay.png.", metavar="FILE", show_default=False),
    ] = None,
) -> None:
    """Segment an image and write a picture of it with the classes over it."""
    with one_line_errors():
        from course_utils.commands.overlay import read_photo, segment, shares, write_overlay
        from course_utils.commands.recipe import trained
        from course_utils.data.registry import dataset_class

        recipe, model, _ = trained(run)
        kind = dataset_class(recipe.data)
        photo = read_photo(image, kind.channels)
        to = to or image.with_name(f"{image.stem}-overlay.png")
        if not to.parent.is_dir():
            raise FileNotFoundError(f"to: the folder {to.parent} does not exist. Create it, or name another.")
        mask = segment(model, photo)
        write_overlay(photo, mask, kind, to)
        for name, share in shares(mask, kind.classes):
            print(f"  {name}: {share:.1%}")
        print(f"Written: {to}")
