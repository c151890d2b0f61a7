"""Whether the data of all cells load, and can be measured on, once before any cell is run: else each would find out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

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
        cells: Those that have to be run.
        registry: Where data sets come from.

    Raises:
        CoviewError: If data are not there, or an evaluator cannot measure on them, such as on validation where no
            validation split can be made; of the first, and how many others there are.
    """
    distinct: dict[str, ComparisonCell] = {}
    for cell in cells:
        distinct.setdefault(_key(cell, _OF_DATA), cell)
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


def data_versions(registry: Registry) -> Callable[[ComparisonCell], str]:
    """What the training data of each cell are now: their version; empty where they cannot be loaded here.

    Each distinct ``[data]`` is loaded once, when it is first asked for.
    """
    known: dict[str, str] = {}

    def version(cell: ComparisonCell) -> str:
        key = _key(cell, ("data",))
        if key not in known:
            try:
                known[key] = Splits(cell.recipe, registry).training.version
            except CoviewError:
                known[key] = ""
        return known[key]

    return version


def _key(cell: ComparisonCell, names: Iterable[str]) -> str:
    tables = hashed_part(cell.recipe.tables)
    return json.dumps([tables.get(name) for name in names], sort_keys=True, default=str)
