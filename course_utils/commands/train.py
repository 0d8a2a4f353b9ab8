"""`course train`, `course evaluate`, `course predict`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

Run = Annotated[Path, typer.Argument(help="Folder of a run, or one of its checkpoints.", show_default=False)]
Root = Annotated[
    Path | None, typer.Option(help="Folder of the data set; by default datasets/NAME in the cache.", show_default=False)
]
Accelerator = Annotated[str, typer.Option(help="auto (CUDA, else Apple's GPU, else the CPU), cpu, cuda or mps.")]
Precision = Annotated[str, typer.Option(help="32-true, bf16-mixed or 16-mixed.")]
Workers = Annotated[int, typer.Option(help="Processes that load data.")]


def train(
    model: Annotated[str, typer.Option(help="Name of a network: small_fcn, smp_fpn, smp_unet.", show_default=False)],
    data: Annotated[str, typer.Option(help="Name of a data set; `course data list` has them.", show_default=False)],
    root: Root = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where the run is kept; by default runs/DATA-MODEL.", show_default=False)
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint in the folder.")] = False,
    pretrained: Annotated[bool, typer.Option(help="Start from ImageNet weights, where the network has some.")] = True,
    epochs: int = 20,
    batch_size: int = 8,
    crop: Annotated[tuple[int, int], typer.Option(help="Rows and columns of the crops.")] = (256, 320),
    scale: Annotated[tuple[float, float], typer.Option(help="Random scale; 1 fits the whole image into the crop.")] = (
        0.75,
        1.5,
    ),
    loss: Annotated[str, typer.Option(help="Name of a loss, or a sum such as cross_entropy+dice.")] = "cross_entropy",
    lr: Annotated[float, typer.Option(help="Largest learning rate.")] = 1e-3,
    weight_decay: float = 1e-2,
    schedule: Annotated[str, typer.Option(help="poly, one_cycle, step or constant.")] = "poly",
    clip: Annotated[float | None, typer.Option(help="Largest norm of the gradient.", show_default=False)] = None,
    patience: Annotated[
        int | None, typer.Option(help="Stop after so many epochs without a better one.", show_default=False)
    ] = None,
    seed: int = 0,
    checkpoint_every: Annotated[
        int | None, typer.Option(help="Save after so many steps too, not only after an epoch.", show_default=False)
    ] = None,
    accelerator: Accelerator = "auto",
    precision: Precision = "32-true",
    workers: Workers = 0,
    channels_last: Annotated[bool, typer.Option(help="Memory layout that most processors prefer.")] = True,
    compile: Annotated[bool, typer.Option(help="Compile the network with torch.compile.")] = False,
) -> None:
    """Train a network and keep its best weights, its log and all that is needed to go on after an interruption.

    AdamW; the best epoch is the one with the highest mean IoU on the validation split, at full image size.
    """
    with one_line_errors():
        from functools import partial

        from torch.optim import AdamW

        from course_utils.commands.recipe import Recipe, loss_named
        from course_utils.models.build import takes_option
        from course_utils.training import fit
        from course_utils.training.random_state import seed_everything

        recipe = Recipe(
            model, data, pretrained and takes_option(model, "pretrained"), list(crop), list(scale), _options(root)
        )
        folder = folder or Path("runs") / f"{data}-{model}"
        train_set, val_set = recipe.train_set(), recipe.whole_images("val")
        seed_everything(seed)
        network = recipe.build_model(train_set)
        about = {"recipe": recipe.plain(), "classes": list(train_set.classes), "channels": train_set.channels}
        history = fit(
            network, train_set, val_set, epochs=epochs, batch_size=batch_size, loss=loss_named(loss), lr=lr,
            optimizer=partial(AdamW, weight_decay=weight_decay), schedule=schedule, clip=clip, patience=patience,
            seed=seed, folder=folder, resume=resume, checkpoint_every=checkpoint_every, about=about, val_batch_size=1,
            num_workers=workers, accelerator=accelerator, precision=precision, channels_last=channels_last,
            compile=compile,
        )  # fmt: skip
        best = history.best
        print(f"Best mean IoU {best['val_mean_iu']:.4f} in epoch {int(best['epoch'])} of {len(history.rows)}, on val.")
        print(f"Trained for {history.seconds:.0f} s. Kept in {folder}; now: course evaluate {folder}")


def evaluate(
    run: Run,
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    root: Root = None,
    accelerator: Accelerator = "auto",
    precision: Precision = "32-true",
    workers: Workers = 0,
) -> None:
    """Score a trained network on a split of its data set, each image at its full size."""
    with one_line_errors():
        from dataclasses import replace

        from course_utils.commands.recipe import trained
        from course_utils.training import evaluate as score

        recipe, model, file = trained(run)
        if root is not None:
            recipe = replace(recipe, data_options=_options(root))
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
        Path | None, typer.Option(help="The picture to write; by default IMAGE-overlay.png.", show_default=False)
    ] = None,
) -> None:
    """Segment one image with a trained network and write it as a picture with the classes over it."""
    with one_line_errors():
        from course_utils.commands.overlay import save_overlay
        from course_utils.commands.recipe import trained

        recipe, model, _ = trained(run)
        to = to or image.with_name(f"{image.stem}-overlay.png")
        for line in save_overlay(recipe, model, image, to):
            print(line)
        print(f"Written: {to}")


def register(app: typer.Typer) -> None:
    """Add the three commands to `course`."""
    commands: tuple[Callable, ...] = (train, evaluate, predict)
    for command in commands:
        app.command()(command)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """What the user can mend ends in one line and exit status 1; Ctrl-C in 130, as in any shell."""
    try:
        yield
    except (OSError, ValueError, TypeError, RuntimeError, FloatingPointError) as error:
        from course_utils.training import CheckpointError

        # A RuntimeError is PyTorch's for anything, a bug of ours too: that one keeps its traceback.
        if isinstance(error, RuntimeError) and not isinstance(error, CheckpointError):
            raise
        print(f"course: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as interruption:
        print(f"course: {interruption or 'stopped'}", file=sys.stderr)
        raise typer.Exit(130) from interruption


def _options(root: Path | None) -> dict[str, str]:
    return {} if root is None else {"root": str(root)}
