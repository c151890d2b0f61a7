"""Whether runs of a recipe reproduce a published number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from coview.compare.cells import FoundCell, by_reason
from coview.compare.collect import collect
from coview.compare.statistics.verdict import listed
from coview.errors import CoviewError
from coview.evaluate.intervals import draws_variance, t_interval
from coview.evaluate.result import within
from coview.plugins.registry import Registry
from coview.recipe.comparison import SEED, Comparison, ComparisonCell
from coview.recipe.load import load_cells, load_recipe
from coview.recipe.tables import ResultTable

Verdict = Literal["reproduced", "not reproduced", "undecided"]


@dataclass(frozen=True)
class Reproduction:
    """A published number beside what the seeds have come to.

    Attributes:
        name: The recipe's.
        published: The number, and what is known of it.
        lower_is_better: Whether the number is better the lower it is.
        bounds: Between which it can be; None where there is no bound.
        values: By seed; of those that have one.
        failed: Why the others have none, by cell.
    """

    name: str
    published: ResultTable
    lower_is_better: bool
    bounds: tuple[float | None, float | None]
    values: dict[str, float]
    failed: dict[str, str]

    @property
    def mean(self) -> float:
        """Over seeds."""
        return float(np.mean(list(self.values.values())))

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % t interval of the mean over seeds, no further than the bounds; None for fewer than two seeds."""
        value_S = np.array(list(self.values.values()))
        if len(value_S) < 2:
            return None
        low, high = t_interval(self.mean, *draws_variance(value_S))
        return within(low, self.bounds), within(high, self.bounds)

    @property
    def worst_allowed(self) -> float:
        """The number less the tolerance, or plus it where lower is better."""
        sign = 1 if self.lower_is_better else -1
        return self.published.value + sign * self.published.tolerance

    @property
    def verdict(self) -> Verdict:
        """Whether the whole interval is at least as good as is allowed, or none of it, or neither."""
        if self.interval is None:
            return "undecided"
        low, high = self.interval
        worst, best = (high, low) if self.lower_is_better else (low, high)
        sign = -1 if self.lower_is_better else 1
        if sign * (worst - self.worst_allowed) >= 0:
            return "reproduced"
        return "not reproduced" if sign * (best - self.worst_allowed) < 0 else "undecided"

    def in_words(self) -> list[str]:
        """Lines for the terminal."""
        lines = [f"{self.name}: {self.published.metric}, published {self.published.value:g}"]
        lines.append(f"  {self.published.source}")
        if self.published.step == "best":
            lines.append("  here: the number of the weights that train.keep_best has kept")
        lines.extend(
            f"  {listed(names)} {'has' if len(names) == 1 else 'have'} no number: {reason}"
            for reason, names in by_reason(self.failed.items()).items()
        )
        if self.values:
            each = " ".join(f"{value:.4g}" for value in self.values.values())
            lines.append(f"  here, by seed: {each}; mean {self.mean:.4g}")
        if self.interval is None:
            return [*lines, "undecided: an interval needs at least two runs"]
        low, high = self.interval
        side = "at most" if self.lower_is_better else "at least"
        return [
            *lines,
            f"  95 % interval of the mean: {low:.4g} to {high:.4g}; {side} {self.worst_allowed:g} is as published",
            self.verdict + (": more seeds would tell (--seeds)" if self.verdict == "undecided" else ""),
        ]


def to_reproduce(
    path: Path | str, registry: Registry, *, sets: Sequence[str] = (), seeds: int | None = None
) -> tuple[ResultTable, Comparison]:
    """The number that a recipe should reproduce, and its runs.

    Args:
        path: The recipe, with a ``[paper.result]``.
        registry: What it sees.
        sets: Overrides, as texts ``KEY=VALUE``.
        seeds: How many runs; absent: as the table says.

    Raises:
        RecipeError: If the recipe has mistakes.
        CoviewError: If it names no published number.
    """
    recipe = load_recipe(path, registry, sets=sets)
    if recipe.paper is None or recipe.paper.result is None:
        raise CoviewError(f"{path}: it names no published number", hint="[paper.result] has metric, value and source")
    published = recipe.paper.result
    grid = {**recipe.sweep.grid, SEED: [recipe.seed + seed for seed in range(seeds or published.seeds)]}
    swept = replace(recipe, sweep=recipe.sweep.model_copy(update={"grid": grid}))
    cells = [ComparisonCell(cell.levels, valid) for cell, valid in load_cells(swept, registry)]
    return published, Comparison(recipe.name, recipe.compare.question, published.metric, cells, Path(path))


def reproduction_of(published: ResultTable, comparison: Comparison, cells: Sequence[FoundCell]) -> Reproduction:
    """What the runs have come to.

    Raises:
        CoviewError: If no run has the number.
    """
    if all(found.run is None for found in cells):
        failed = {found.cell.name: found.reason or "not run" for found in cells}
        reasons = "; ".join(f"{listed(names)}: {reason}" for reason, names in by_reason(failed.items()).items())
        raise CoviewError(
            f"{comparison.name}: no run has finished ({reasons})",
            hint=f"a run needs {published.needs}" if published.needs else None,
        )
    table = collect(comparison, cells)
    return Reproduction(
        comparison.name,
        published,
        table.lower_is_better,
        table.bounds,
        {row.seed: row.value() for row in table.rows if row.status == "done"},
        {f"seed {row.seed}": row.reason or row.status for row in table.rows if row.status != "done"},
    )
