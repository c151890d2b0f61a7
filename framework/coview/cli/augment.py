"""``coview augment``: looking at augmentations, and measuring how strong they are."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from coview.cli.completing import RecipeName
from coview.cli.output import print_columns, print_json
from coview.cli.recipe import set_option
from coview.cli.user_path import UserPath
from coview.errors import CoviewError
from coview.plugins.home import expanded


@click.group()
def augment() -> None:
    """Look at a recipe's augmentations, and measure them."""


@augment.command()
@click.argument("recipe", metavar="RECIPE", type=RecipeName())
@set_option
@click.option("--out", type=UserPath(dir_okay=False), help="The page; NAME-augment.html by default.")
@click.option("--samples", default=6, show_default=True, type=click.IntRange(1, 100), help="How many samples.")
@click.option("--views", default=4, show_default=True, type=click.IntRange(1, 32), help="How many views of each.")
@click.pass_obj
def preview(
    disabled: tuple[str, ...], recipe: str, sets: tuple[str, ...], out: Path | None, samples: int, views: int
) -> None:
    """Write a page with views of some samples.

    All steps together and each alone, beside the original: pictures, texts, sounds to play. Steps that work on the
    encoder's batches, or in the encoder, are named only. Of a recipe with a mask, also what is hidden in training.
    """
    from coview.experiment.augmentation.preview import write_preview
    from coview.plugins.discovery import load_plugins
    from coview.recipe.load import load_recipe

    registry = load_plugins(disable=disabled)
    valid = load_recipe(recipe, registry, sets=sets)
    click.echo(write_preview(valid, registry, out or Path(f"{valid.name}-augment.html"), samples=samples, views=views))


@augment.command()
@click.argument("source", metavar="RECIPE|RUN", type=RecipeName())
@set_option
@click.option("--samples", default=512, show_default=True, type=click.IntRange(3), help="How many samples.")
@click.option(
    "--under",
    "reference",
    default="encoder",
    show_default=True,
    type=click.Choice(["encoder", "raw"]),
    help="The encoder of the recipe or run, or the modality's raw features.",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def measure(
    disabled: tuple[str, ...],
    source: str,
    sets: tuple[str, ...],
    samples: int,
    reference: str,
    as_json: bool,
) -> None:
    """Tell how far each step moves a sample.

    On one scale for every step and modality: 0 is no change, 1 is as far as another sample. Of a recipe under its
    encoder before training, of a run's folder under the trained one. Steps that change no sample are named only.
    """
    from coview.experiment.augmentation.measure import measure_augmentations
    from coview.plugins.discovery import load_plugins
    from coview.recipe.load import load_recipe

    registry = load_plugins(disable=disabled)
    if (folder := expanded(source)).is_dir():
        if sets:
            raise CoviewError("--set changes a recipe, and a run is measured as it was: give its recipe.toml instead")
        valid = folder
    else:
        valid = load_recipe(source, registry, sets=sets)  # type: ignore[assignment]
    found = measure_augmentations(valid, registry, samples=samples, reference=reference)  # type: ignore[arg-type]
    if as_json:
        print_json(
            [
                {
                    "modality": m.modality,
                    "reference": m.reference,
                    "steps": [s.as_json() for s in m.strengths],
                    "not_shown": [asdict(s) for s in m.unseen],
                }
                for m in found
            ]
        )
        return
    for measured in found:
        for step in measured.unseen:
            click.echo(f"{measured.modality}: {step}")
        if not measured.strengths:
            continue
        click.echo(f"{measured.modality}: {measured.strengths[0].samples} samples under {measured.reference}\n")
        head = ("step", "distance", "two views", "rank", "unchanged", "class kept", "")
        rows = [
            (
                s.name,
                f"{s.distance:.3f}",
                f"{s.between_views:.3f}",
                f"{s.rank:.3f}",
                f"{s.unchanged:.1%}",
                "–" if s.class_kept is None else f"{s.class_kept:.2f}",
                s.parameters,
            )
            for s in measured.strengths
        ]
        print_columns([head, *rows])
        click.echo(
            "\ndistance: of a view to its original, where another sample is at 1; two views: to each other; rank:\n"
            "share of other samples nearer than the original; class kept: 1 where a view's neighbours tell its class\n"
            "as well as the original's"
        )
