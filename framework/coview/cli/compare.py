"""``coview compare``: one question, asked of every cell of a comparison."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coview.cli.launch_options import launch_set_option, launcher_option
from coview.cli.output import print_columns, say
from coview.cli.recipe import set_option
from coview.cli.remembering import no_cache_option, remembering_registry
from coview.cli.user_path import UserPath
from coview.errors import CoviewError

if TYPE_CHECKING:
    from coview.compare.cells import FoundCell
    from coview.compare.report.write import ComparisonReport
    from coview.launch.job import Launcher
    from coview.plugins.registry import Registry
    from coview.recipe.comparison import Comparison


@click.command()
@click.argument("sources", metavar="RECIPE|RUN…", nargs=-1, required=True, type=UserPath())
@set_option
@click.option("--out", default="runs", show_default=True, type=UserPath(), help="Folder of runs.")
@click.option(
    "--dry-run", is_flag=True, help="List the cells, which of them are there, and how long the rest may take."
)
@click.option("--no-run", is_flag=True, help="Report on the cells that are there, and run none.")
@launcher_option("Where runs are computed.")
@click.option("--processes", default=1, show_default=True, type=click.IntRange(1), help="Runs at a time, locally.")
@launch_set_option
@click.option("--by", multiple=True, metavar="KEY", help="Tell RUNs apart by this key; may be repeated.")
@click.option("--baseline", metavar="VARIANT", help="Test each variant against this one, instead of every pair.")
@no_cache_option
@click.pass_obj
def compare(
    disabled: tuple[str, ...],
    sources: tuple[Path, ...],
    sets: tuple[str, ...],
    out: Path,
    dry_run: bool,
    no_run: bool,
    launcher: str,
    processes: int,
    settings: tuple[str, ...],
    by: tuple[str, ...],
    baseline: str | None,
    no_cache: bool,
) -> None:
    """Run every cell of a comparison, and report.

    RECIPE has a [sweep], or a [compare] that names several recipes. What is there is not run again; a cell that fails
    stops no other. RUNs that are there already are compared as they are.
    """
    from coview.plugins.discovery import load_plugins
    from coview.recipe.comparison import load_comparison

    if all(source.is_dir() for source in sources):
        from coview.compare.run_comparison import report_on_runs

        _print_report(report_on_runs(sources, load_plugins(disable=disabled), out, by=by, baseline=baseline))
        return
    if len(sources) > 1:
        raise CoviewError("give one recipe, or the folders of runs", hint="a [compare] table names several recipes")
    if by:
        raise CoviewError("--by groups runs that are there; what a recipe compares is in its [sweep]")
    if dry_run:
        from coview.compare.asked_metric import check_is_measured

        with remembering_registry(disabled, no_cache=no_cache) as registry:
            comparison = load_comparison(sources[0], sets=sets, registry=registry).against(baseline)
            if not no_run:
                check_is_measured(comparison)
            _list_cells(comparison, out, registry)
        return
    from coview.compare.run_comparison import run_comparison

    registry = load_plugins(disable=disabled)
    comparison = load_comparison(sources[0], sets=sets, registry=registry).against(baseline)
    made = None if no_run else _launcher(launcher, processes, settings, out)
    _print_report(run_comparison(comparison, out, registry, made, say=say))


def _print_report(written: ComparisonReport) -> None:
    click.echo()
    say(written.text)
    click.echo(f"\nreport      {written.report}\ntables      {written.markdown}\ncells       {written.csv}")


def _list_cells(comparison: Comparison, out: Path, registry: Registry) -> None:
    from coview.compare.cells import find_cells
    from coview.compare.trials import trials_as_comparison, trials_of

    if comparison.until == "decided":
        from coview.compare.needed_cells import looks_in_words, needed_cells
    if trials := trials_of(comparison, registry):
        asked = trials_as_comparison(comparison, trials)
        _list_found(find_cells(asked, out, registry))
        chosen = f"as each variant has chosen by {asked.metric} on validation"
        if comparison.until == "decided":
            needed_cells(comparison, ())  # it refuses too few seeds
            click.echo(f"\nthen, {chosen}: {looks_in_words(comparison)}")
            return
        click.echo(f"\nthen {len(comparison.cells)} cells, {chosen}")
        return
    found = find_cells(comparison, out, registry)
    if comparison.until != "decided":
        _list_found(found)
        return
    needed = needed_cells(comparison, found)
    _list_found(find_cells(needed.comparison, out, registry))
    click.echo(looks_in_words(comparison))
    if needed.undecided is not None:
        click.echo(f"so far {needed.undecided} pair{'' if needed.undecided == 1 else 's'} undecided")


def _list_found(cells: list[FoundCell]) -> None:
    from coview.compare.cells import expected_seconds
    from coview.track.progress import duration

    expected, rows, total, unknown = expected_seconds(cells), [], 0.0, 0
    for found in cells:
        if found.run is not None:
            state = f"there: {found.run.path}"
        else:
            seconds = expected.get(found.cell.recipe.name)
            total += seconds or 0
            unknown += seconds is None
            state = "to run" if seconds is None else f"to run, about {duration(seconds)} of training"
            state += f"; {found.outdated}" if found.outdated else ""
            state += f"; failed last time: {found.reason}" if found.reason else ""
        rows.append((found.cell.name, found.cell.recipe.hash[:6], state))
    print_columns(rows)
    missing = sum(found.run is None for found in cells)
    click.echo(f"\n{len(cells)} cells, {missing} to run", nl=False)
    click.echo(f", about {duration(total)} one after the other" if total else "", nl=False)
    click.echo(f", and {unknown} of unknown duration" if unknown and missing else "")


def _launcher(name: str, processes: int, settings: tuple[str, ...], out: Path) -> Launcher:
    from coview.recipe.override import parse_set

    given: dict[str, Any] = parse_set(settings)
    if name == "slurm":
        from coview.launch.slurm import SlurmLauncher

        return SlurmLauncher(out / "slurm", given)
    if name == "ray":
        from coview.launch.ray import RayLauncher

        return RayLauncher(settings=given)
    if given:
        raise CoviewError("--launch-set is for Slurm and Ray: local processes take none")
    from coview.launch.local import LocalLauncher, cuda_devices

    return LocalLauncher(processes, cuda_devices())
