"""``coview reproduce``: whether runs reproduce a published number."""

from __future__ import annotations

from pathlib import Path

import click

from coview.cli.output import say
from coview.cli.recipe import set_option
from coview.cli.user_path import UserPath

NOT_REPRODUCED = 3
"""Exit status; 1 is a bug, 2 a mistake."""


@click.command()
@click.argument("recipe", type=UserPath())
@set_option
@click.option("--out", default="runs", show_default=True, type=UserPath(), help="Folder of runs.")
@click.option("--seeds", type=click.IntRange(2), help="How many runs; by default as [paper.result] says.")
@click.option("--processes", default=1, show_default=True, type=click.IntRange(1), help="Runs at a time.")
@click.option("--no-run", is_flag=True, help="Judge by the runs that are there, and run none.")
@click.pass_obj
def reproduce(
    disabled: tuple[str, ...],
    recipe: Path,
    sets: tuple[str, ...],
    out: Path,
    seeds: int | None,
    processes: int,
    no_run: bool,
) -> None:
    """Say whether runs reproduce a published number.

    Runs a recipe with several seeds, and holds them against the number that its [paper.result] names.

    Reproduced is what is not worse than published by more than the tolerance, by the 95 % interval of the mean over
    seeds. Runs that are there are not run again. The exit status is 3 where it is not reproduced, or undecided.
    """
    from coview.compare.best_weights import of_best_weights
    from coview.compare.cells import find_cells
    from coview.compare.reproduction import reproduction_of, to_reproduce
    from coview.compare.run_missing import run_missing
    from coview.launch.local import LocalLauncher, cuda_devices
    from coview.plugins.discovery import load_plugins

    registry = load_plugins(disable=disabled)
    published, comparison = to_reproduce(recipe, registry, sets=sets, seeds=seeds)
    if no_run:
        cells = find_cells(comparison, out, registry)
    else:
        cells = run_missing(comparison, out, registry, LocalLauncher(processes, cuda_devices()), say=say)
    if published.step == "best":
        cells = of_best_weights(cells, published.metric, registry, measure=not no_run, say=say)
    found = reproduction_of(published, comparison, cells)
    for line in found.in_words():
        say(line)
    if found.verdict != "reproduced":
        raise click.exceptions.Exit(NOT_REPRODUCED)
