"""A whole comparison: tuned where it asks for that, run until it is done or decided, and reported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from coview.compare.asked_metric import check_is_measured
from coview.compare.cells import FoundCell, find_cells
from coview.compare.existing_runs import compare_runs
from coview.compare.needed_cells import needed_cells
from coview.compare.report.write import ComparisonReport, write_comparison_report
from coview.compare.run_missing import run_missing
from coview.compare.tuning import Choice, Tuned, tune
from coview.compare.until_decided import run_until_decided
from coview.errors import CoviewError
from coview.launch.job import Launcher
from coview.plugins.registry import Registry
from coview.recipe.comparison import Comparison


def run_comparison(
    comparison: Comparison,
    out: Path,
    registry: Registry,
    launcher: Launcher | None,
    *,
    say: Callable[[str], None] = print,
) -> ComparisonReport:
    """Runs what is missing of a comparison, and reports on all of it.

    Args:
        comparison: What is compared.
        out: The folder of runs; the report is in a folder of the comparison's name in it.
        registry: What recipes see.
        launcher: Where runs are computed; None: none is, and what is there is reported.
        say: Tells of what is run, chosen and left out.

    Raises:
        CoviewError: If no cell has a finished run, or nothing can be compared by what there is.
    """
    if launcher is not None:  # runs that are there may have been evaluated by others since
        check_is_measured(comparison)
    tuned = tune(comparison, out, registry, launcher, say=say)
    if tuned.comparison.until == "decided":
        compared, cells = _until_decided(tuned, out, registry, launcher, say)
    elif launcher is None:
        compared, cells = tuned.comparison, find_cells(tuned.comparison, out, registry)
        for found in cells:
            if found.outdated:
                say(f"{found.cell.name} is left out: {found.outdated}")
    else:
        compared, cells = tuned.comparison, run_missing(tuned.comparison, out, registry, launcher, say=say)
    return _report(compared, [*cells, *tuned.left_out], out, tuned.choices)


def report_on_runs(
    paths: Sequence[Path], registry: Registry, out: Path, *, by: Sequence[str] = (), baseline: str | None = None
) -> ComparisonReport:
    """Compares runs that are there, as they are.

    Args:
        paths: Their folders.
        registry: What their recipes see.
        out: The folder in which the comparison's is made.
        by: The keys that tell them apart; none: all by which they differ.
        baseline: The variant that each other one is tested against; None: each against each.

    Raises:
        CoviewError: If they cannot be compared.
    """
    comparison, cells = compare_runs(paths, registry, by=by)
    return _report(comparison.against(baseline), cells, out)


def _until_decided(
    tuned: Tuned, out: Path, registry: Registry, launcher: Launcher | None, say: Callable[[str], None]
) -> tuple[Comparison, list[FoundCell]]:
    if launcher is not None:
        return run_until_decided(tuned.comparison, out, registry, launcher, say=say)
    needed = needed_cells(tuned.comparison, find_cells(tuned.comparison, out, registry)).comparison
    return needed, find_cells(needed, out, registry)


def _report(
    comparison: Comparison, cells: list[FoundCell], out: Path, choices: Sequence[Choice] = ()
) -> ComparisonReport:
    if all(found.run is None for found in cells):
        reason = next((found.reason for found in cells if found.reason), None)
        raise CoviewError(f"no cell has a finished run; {len(cells)} failed or are missing", hint=reason)
    return write_comparison_report(comparison, cells, out / comparison.name, choices)
