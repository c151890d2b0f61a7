"""Comparisons: of a recipe, whose missing cells are run, and of runs that are there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from coview.plugins.discovery import load_plugins
from coview.plugins.registry import Registry

if TYPE_CHECKING:
    from coview.compare.report.write import ComparisonReport


def run_comparison(
    recipe: Path | str,
    out: Path | str = "runs",
    *,
    sets: Iterable[str] = (),
    processes: int = 1,
    baseline: str | None = None,
    registry: Registry | None = None,
    say: Callable[[str], None] = print,
) -> ComparisonReport:
    """Runs every cell of a comparison that is not there yet, and reports, as ``coview compare`` does.

    The cells are run in processes of their own, so a script that calls this has to be importable: the call is under
    ``if __name__ == "__main__":``.

    Args:
        recipe: One with a ``[sweep]``, or a ``[compare]`` that names several.
        out: The folder of runs.
        sets: Overrides, ``KEY=VALUE``.
        processes: How many cells run at a time, at least 1.
        baseline: The variant that each other one is tested against; absent: as the recipe says.
        registry: What the recipes see; all installed plugins by default.
        say: Tells of what is run, chosen and left out.

    Raises:
        CoviewError: If the recipe is wrong, or no cell has a finished run. A cell that fails stops no other.
    """
    from coview.compare.run_comparison import run_comparison as compared  # torch costs start-up time
    from coview.launch.local import LocalLauncher, cuda_devices  # torch costs start-up time
    from coview.recipe.comparison import load_comparison  # torch costs start-up time

    registry = registry or load_plugins()
    comparison = load_comparison(recipe, sets=tuple(sets), registry=registry).against(baseline)
    return compared(comparison, Path(out), registry, LocalLauncher(processes, cuda_devices()), say=say)


def compare_runs(
    runs: Sequence[Path | str],
    out: Path | str = "runs",
    *,
    by: Sequence[str] = (),
    baseline: str | None = None,
    registry: Registry | None = None,
) -> ComparisonReport:
    """Compares runs that are there, as they are.

    Args:
        runs: Their folders.
        out: The folder in which the comparison's is made.
        by: The keys that tell them apart, such as ``loss.temperature``; absent: all by which they differ.
        baseline: The variant that each other one is tested against; absent: each against each.
        registry: What their recipes see; all installed plugins by default.

    Raises:
        CoviewError: If they cannot be compared, with what differs in their protocols.
    """
    from coview.compare.run_comparison import report_on_runs  # torch costs start-up time

    paths = [Path(run) for run in runs]
    return report_on_runs(paths, registry or load_plugins(), Path(out), by=by, baseline=baseline)
