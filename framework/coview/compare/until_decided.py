"""Seeds until decided: cells are run look by look, for pairs that are undecided, as far as the budget goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from coview.compare.cells import FoundCell, expected_seconds, find_cells, seconds_of
from coview.compare.collect import collect
from coview.compare.run_missing import Say, run_missing
from coview.compare.statistics.looks import FIRST_LOOK, look, look_sizes
from coview.compare.statistics.scores import scores_of
from coview.errors import CoviewError
from coview.launch.job import Launcher
from coview.plugins.registry import Registry
from coview.recipe.comparison import SEED, Comparison, ComparisonCell
from coview.track.metrics_file import read_metrics
from coview.track.progress import duration


@dataclass(frozen=True)
class Needed:
    """Which cells the looks so far have needed, and the next one needs.

    Attributes:
        comparison: Of these cells alone.
        undecided: How many pairs are not decided, over all modalities; None before the first look.
    """

    comparison: Comparison
    undecided: int | None


def needed_cells(comparison: Comparison, cells: Sequence[FoundCell]) -> Needed:
    """What the numbers that are there ask for: the same, however often it is asked.

    Raises:
        CoviewError: If the sweep has too few seeds for a look, or the numbers cannot be compared.
    """
    seeds = list(dict.fromkeys(_seed(cell) for cell in comparison.cells))
    if len(seeds) < FIRST_LOOK:
        raise CoviewError(
            f'{comparison.path}: compare.until = "decided" looks at {FIRST_LOOK} seeds first, '
            f"and the sweep has {len(seeds)}",
            hint="list as many seeds as may be used at most: sweep.grid.seed = [0, 1, 2, 3, 4, 5, 6, 7]",
        )
    if len({cell.variant for cell in comparison.cells}) < 2:
        raise CoviewError(
            f'{comparison.path}: compare.until = "decided" decides between variants, but there is only one',
            hint="sweep over another key than the seed, or leave compare.until out",
        )
    if not any(found.run for found in cells):
        first = [cell for cell in comparison.cells if _seed(cell) in seeds[:FIRST_LOOK]]
        return Needed(replace(comparison, cells=first), None)
    table = collect(comparison, cells)
    asked: set[tuple[str, str, str]] = set()
    undecided: list[int] = []
    for modality in table.modalities:
        found = look(scores_of(table, modality))
        asked |= {(modality, variant, seed) for variant, seed in found.asked}
        undecided.append(found.undecided)
    rows = zip(table.rows, comparison.cells, strict=True)
    kept = [cell for row, cell in rows if (row.modality, row.variant, row.seed) in asked]
    known = [number for number in undecided if number >= 0]
    return Needed(replace(comparison, cells=kept), sum(known) if known else None)


def looks_in_words(comparison: Comparison) -> str:
    """Which seeds the first look takes, and how far it may go."""
    seeds = list(dict.fromkeys(_seed(cell) for cell in comparison.cells))
    sizes = list(look_sizes(len(seeds)))

    def cells(size: int) -> int:
        return sum(_seed(cell) in seeds[:size] for cell in comparison.cells)

    first = f"the first look takes {cells(FIRST_LOOK)} cells, of the seeds {', '.join(seeds[:FIRST_LOOK])}"
    if len(sizes) == 1:
        return f"{first}, and there are no seeds for another"
    budget = ""
    if comparison.budget is not None:
        spent = comparison.budget
        budget = f", within a budget of {f'{spent} cells' if isinstance(spent, int) else duration(spent)}"
    more = ", ".join(map(str, sizes[1:]))
    return (
        f"{first}; for pairs that are undecided then, looks at {more} seeds may follow: {cells(sizes[-1])} cells at "
        f"most{budget}"
    )


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


def _seed(cell: ComparisonCell) -> str:
    return cell.levels.get(SEED, str(cell.recipe.seed))
