"""`course train`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from course_utils.commands.errors import one_line_errors
from course_utils.commands.options import Accelerator, Precision, Root, Workers, check_place, data_options

_HOW = "How it learns"  # boxes that `--help` shows the options in
_KEPT = "What is kept"
_WHERE = "Where it runs"
# Written here, since `--help` is to come without PyTorch.
_NETWORKS = (
    "small_fcn, smp_fpn, smp_unet, fcn32s, fcn16s, fcn8s, fcn4s, fcn2s, fcn_alexnet, fcn_googlenet, unet, segnet, "
    "segnet_basic, deconvnet, deeplabv3; families of small networks: fcn_family, small_unets, ways_up"
)


def train(
    model: Annotated[
        str, typer.Option(help=f"Network: {_NETWORKS}.", metavar="NAME", show_default=False)
    ],
    data: Annotated[
        str, typer.Option(help="Data set, as `course data list` has it.", metavar="NAME", show_default=False)
    ],
    set: Annotated[
        list[str] | None,
        typer.Option(help="Option of the network, such as width=16; may be repeated.", metavar="NAME=VALUE"),
    ] = None,
    root: Root = None,
    crop: Annotated[tuple[int, int], typer.Option(help="Height and width of the crops.", metavar="H W")] = (256, 320),
    scale: Annotated[
        tuple[float, float],
        typer.Option(help="Random scale; 1: the whole image fits into the crop.", metavar="LOW HIGH"),
    ] = (0.75, 1.5),
    pretrained: Annotated[
        bool,
        typer.Option(" /--no-pretrained", help="No ImageNet weights to start from.", show_default=False),
    ] = True,
    epochs: Annotated[
        int, typer.Option(help="Passes over the training images.", metavar="N", rich_help_panel=_HOW)
    ] = 20,
    batch_size: Annotated[int, typer.Option(help="Images per step.", metavar="N", rich_help_panel=_HOW)] = 8,
    loss: Annotated[
        str,
        typer.Option(help="Loss, or a sum: cross_entropy+dice.", metavar="NAME", rich_help_panel=_HOW),
    ] = "cross_entropy",
    lr: Annotated[float, typer.Option(help="Largest learning rate.", metavar="X", rich_help_panel=_HOW)] = 1e-3,
    schedule: Annotated[
        str,
        typer.Option(help="poly, one_cycle, step or constant.", metavar="NAME", rich_help_panel=_HOW),
    ] = "poly",
    weight_decay: Annotated[float, typer.Option(help="Of AdamW.", metavar="X", rich_help_panel=_HOW)] = 1e-2,
    clip: Annotated[
        float | None,
        typer.Option(help="Largest norm of the gradient.", metavar="X", show_default=False, rich_help_panel=_HOW),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            help="Stop after N epochs without a better one.", metavar="N", show_default=False, rich_help_panel=_HOW
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Of weights, order and augmentation.", metavar="N", rich_help_panel=_HOW)
    ] = 0,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Of the run; by default runs/DATA-MODEL.", metavar="FOLDER", show_default=False, rich_help_panel=_KEPT
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the newest checkpoint there.", rich_help_panel=_KEPT)
    ] = False,
    checkpoint_every: Annotated[
        int | None,
        typer.Option(
            help="Save every N steps, not only after epochs.", metavar="N", show_default=False, rich_help_panel=_KEPT
        ),
    ] = None,
    accelerator: Accelerator = "auto",
    precision: Precision = "32-true",
    workers: Workers = 0,
    channels_last: Annotated[
        bool,
        typer.Option(
            " /--no-channels-last", help="Store images plane by plane.", show_default=False, rich_help_panel=_WHERE
        ),
    ] = True,
    compile: Annotated[bool, typer.Option("--compile", help="Use torch.compile.", rich_help_panel=_WHERE)] = False,
) -> None:
    """Train a network on a data set, and keep its best weights and its log.

    The best epoch is that of the highest mean IoU on the whole validation images.

    After an interruption the same command with --resume goes on.
    """
    with one_line_errors():
        from functools import partial

        from torch.optim import AdamW

        from course_utils.commands.recipe import Recipe, check_same_recipe, loss_named, model_options
        from course_utils.models.build import takes_option
        from course_utils.training import fit
        from course_utils.training.random_state import seed_everything

        check_place(accelerator, precision)
        recipe = Recipe(
            model, data, pretrained and takes_option(model, "pretrained"), list(crop), list(scale), data_options(root),
            model_options(set or []),
        )  # fmt: skip
        folder = folder or Path("runs") / f"{data}-{model}"
        if resume:
            check_same_recipe(recipe, folder)
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
        if int(os.environ.get("RANK", 0)):
            return  # under torchrun one process speaks for all
        print(f"Best mean IoU {best['val_mean_iu']:.4f} in epoch {int(best['epoch'])} of {len(history.rows)}, on val.")
        print(f"Trained for {history.seconds:.0f} s. Kept in {folder}; now: course evaluate {folder}")
