"""Seeds until decided: cells are run look by look, for pairs that are undecided, as far as the budget goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from coview.compare.cells import FoundCell, expected_seconds, find_cells, seconds_of
from coview.compare.needed_cells import needed_cells
from coview.compare.run_missing import Say, run_missing
from coview.errors import CoviewError
from coview.launch.job import Launcher
from coview.plugins.registry import Registry
from coview.recipe.comparison import Comparison
from coview.track.metrics_file import read_metrics
from coview.track.progress import duration


def run_until_decided(
    comparison: Comparison, out: Path, registry: Registry, launcher: Launcher, *, say: Say = print
) -> tuple[Comparison, list[FoundCell]]:
    """Runs what the next look needs, until every pair is decided, or seeds or budget are spent.

    Returns:
        The comparison of the cells that were needed, and these, found.

    Raises:
        CoviewError: If the budget is smaller than the first look, the sweep has too few seeds, or a folder cannot be
            written.
        Interrupted: If this process was asked to stop.
    """
    tried: set[str] = set()
    while True:
        needed = needed_cells(comparison, find_cells(comparison, out, registry))
        cells = find_cells(needed.comparison, out, registry)
        missing = [found for found in cells if found.run is None and found.cell.name not in tried]
        if not missing:
            return needed.comparison, cells
        over = _over_budget(comparison, cells, missing)
        if over and needed.undecided is None:
            raise CoviewError(
                f"{comparison.path}: compare.budget is too small for the first look: {over}",
                hint="raise compare.budget, or leave it out: then the seeds of the sweep are the bound",
            )
        if over:
            say(f"{comparison.name}: the budget is spent, {needed.undecided} pairs undecided: {over}")
            there = {found.cell.name for found in cells if found.run is not None or found.cell.name in tried}
            kept = replace(needed.comparison, cells=[c for c in needed.comparison.cells if c.name in there])
            return kept, [found for found in cells if found.cell.name in there]
        if needed.undecided is not None:
            say(f"{comparison.name}: {needed.undecided} pairs undecided, {len(missing)} more cells for the next look")
        if isinstance(comparison.budget, float) and not expected_seconds(cells):
            missing = missing[:1]  # how long one takes says what the look would
        tried |= {found.cell.name for found in missing}
        run_missing(
            replace(needed.comparison, cells=[found.cell for found in missing]), out, registry, launcher, say=say
        )


def _over_budget(comparison: Comparison, cells: Sequence[FoundCell], missing: Sequence[FoundCell]) -> str:
    """What the next look takes beyond the budget, in words; empty where it fits. Cells that are there count too."""
    budget = comparison.budget
    if budget is None:
        return ""
    if isinstance(budget, int):
        return f"it takes {len(cells)} cells in all, of {budget}" if len(cells) > budget else ""
    spent = sum(seconds_of(read_metrics(found.run.metrics)) or 0.0 for found in cells if found.run)
    expected = expected_seconds(cells)
    more = sum(expected.get(found.cell.recipe.name, 0.0) for found in missing)
    if spent + more <= budget:
        return ""
    return f"it takes {duration(spent + more)} of training in all, of {duration(budget)}"
