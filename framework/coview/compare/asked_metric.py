"""Whether the number that a comparison asks for is one that its cells can have, as far as a recipe tells."""

from __future__ import annotations

from coview.errors import CoviewError
from coview.plugins.nearest import did_you_mean
from coview.recipe.comparison import Comparison
from coview.recipe.recipe import Recipe


def check_is_measured(comparison: Comparison) -> None:
    """Refuses a number that no cell's run will have, before any is run, as far as its evaluator tells.

    Raises:
        CoviewError: If its evaluator is in no recipe.
    """
    if comparison.metric is None:
        return
    uses = dict.fromkeys(use for cell in comparison.cells for use in evaluators_of(cell.recipe))
    use = comparison.metric.partition("/")[0]
    if use not in uses:
        raise CoviewError(
            f'{comparison.path}: compare.metric: no [[evaluate]] has the evaluator "{use}" that could measure '
            f"{comparison.metric}{did_you_mean(use, list(uses))}",
            hint=f"evaluators: {', '.join(uses) or 'none'}",
        )


def evaluators_of(recipe: Recipe) -> list[str]:
    """The names of a recipe's evaluators, without their plugins."""
    return [table.use.rpartition("/")[2] for table in recipe.evaluate]
