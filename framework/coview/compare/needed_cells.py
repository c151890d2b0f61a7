"""Which cells a comparison needs that runs until it is decided: by the numbers that are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from coview.compare.cells import FoundCell
from coview.compare.statistics.look_sizes import FIRST_LOOK, look_sizes
from coview.errors import CoviewError
from coview.recipe.comparison import SEED, Comparison, ComparisonCell
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
    from coview.compare.collect import collect  # numpy and scipy cost start-up time
    from coview.compare.statistics.looks import look  # the same
    from coview.compare.statistics.scores import scores_of  # the same

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


def _seed(cell: ComparisonCell) -> str:
    return cell.levels.get(SEED, str(cell.recipe.seed))
