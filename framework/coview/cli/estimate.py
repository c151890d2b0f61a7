"""``coview estimate``: what a run needs of a machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from coview.cli.completing import RecipeName
from coview.cli.output import print_columns, print_json, say
from coview.cli.recipe import set_option
from coview.cli.user_path import UserPath

if TYPE_CHECKING:
    from coview.experiment.estimate.estimate import Estimate


@click.command()
@click.argument("recipe", metavar="RECIPE", type=RecipeName())
@set_option
@click.option("--device", required=True, metavar="NAME", help="A card, such as h100, or here: this machine's CPU.")
@click.option("--count", default=1, show_default=True, type=click.IntRange(1), help="How many of them.")
@click.option("--samples", type=click.IntRange(1), help="Of the training split, if the data here stand in for others.")
@click.option("--cores", type=click.FloatRange(0, min_open=True), help="CPU cores for each; as many as it needs.")
@click.option(
    "--utilisation",
    type=click.FloatRange(0, 1, min_open=True),
    help="Which share of the roofline is reached; by default 0.25 to 0.8, or what --measured has found.",
)
@click.option("--tflops", type=click.FloatRange(0, min_open=True), help="TFLOP/s, in place of the data sheet's.")
@click.option("--memory", type=click.FloatRange(0, min_open=True), help="GB of memory, in place of the data sheet's.")
@click.option("--link", type=click.FloatRange(0, min_open=True), help="GB/s to other cards, such as 50 over a network.")
@click.option("--measured", metavar="RUN", type=UserPath(), help="A run on this device, to hold the estimate against.")
@click.option(
    "--seconds",
    default=3.0,
    show_default=True,
    type=click.FloatRange(0, 600, min_open=True),
    help="How long to measure the making of views.",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def estimate(
    disabled: tuple[str, ...],
    recipe: str,
    sets: tuple[str, ...],
    device: str,
    count: int,
    samples: int | None,
    cores: float | None,
    utilisation: float | None,
    tflops: float | None,
    memory: float | None,
    link: float | None,
    measured: Path | None,
    seconds: float,
    as_json: bool,
) -> None:
    """Say what a run needs: memory, traffic, cores, hours.

    Nothing is trained. Each line says what it is known from: counted of the recipe, measured on this machine, taken
    from a data sheet, or assumed.
    """
    from coview.experiment.estimate.cards import HERE, card_of
    from coview.experiment.estimate.estimate import Asked
    from coview.experiment.estimate.estimate import estimate as estimated
    from coview.plugins.discovery import load_plugins
    from coview.recipe.load import load_recipe

    if device != HERE:
        card_of(device)  # before anything that takes time
    registry = load_plugins(disable=disabled)
    valid = load_recipe(recipe, registry, sets=sets)
    asked = Asked(device, count, samples, cores, utilisation, tflops, memory, link, measured, seconds)
    found = estimated(valid, registry, asked)
    if as_json:
        print_json(found.as_json())
        return
    _print(found)


def _print(found: Estimate) -> None:
    from coview.experiment.estimate.wording import sections

    for title, rows in sections(found).items():
        click.echo(f"{title}:")
        print_columns(rows, indent="  ")
    for line in found.advice:
        say(f"to fit: {line}")
    for note in found.notes:
        say(f"note: {note}")
