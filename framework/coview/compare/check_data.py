"""Whether the data of all cells load, and can be measured on, once before any cell is run: else each would find out."""

from __future__ import annotations

import json
from collections.abc import Iterable

from coview.errors import CoviewError, few
from coview.experiment.evaluators import plan_evaluators
from coview.experiment.plan_curves import plan_curves
from coview.experiment.splits import Splits
from coview.plugins.registry import Registry
from coview.recipe.comparison import ComparisonCell
from coview.recipe.snapshot import hashed_part

_OF_DATA = ("data", "evaluate", "modality")
"""The tables of a recipe that say what is loaded, and what of it is measured on."""


def check_data(cells: Iterable[ComparisonCell], registry: Registry) -> None:
    """Loads each distinct data set, with what evaluators look at, as a run does before it trains.

    Args:
        cells: Those that are to be run.
        registry: Where data sets come from.

    Raises:
        CoviewError: If data are not there, or an evaluator cannot measure on them, such as on validation where no
            validation split can be made; of the first, and how many others there are.
    """
    distinct: dict[str, ComparisonCell] = {}
    for cell in cells:
        tables = hashed_part(cell.recipe.tables)
        key = json.dumps([tables.get(name) for name in _OF_DATA], sort_keys=True, default=str)
        distinct.setdefault(key, cell)
    failed: dict[str, CoviewError] = {}
    for cell in distinct.values():
        try:
            splits = Splits(cell.recipe, registry)
            _ = splits.training
            plan_evaluators(splits)
            plan_curves(splits)
        except CoviewError as error:
            failed.setdefault(str(error), error)
    if failed:
        first, *others = failed.values()
        more = f" (and {len(others)} more: {few([other.message for other in others])})" if others else ""
        raise CoviewError(f"no cell is run: {first.message}{more}", hint=first.hint)
