"""The trials of equal tuning: what each variant of a comparison tries, as cells that measure on validation alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from coview.errors import CoviewError
from coview.plugins.nearest import did_you_mean
from coview.plugins.registry import Registry
from coview.recipe.comparison import RECIPE, SEED, Comparison, ComparisonCell
from coview.recipe.key import dotted_key
from coview.recipe.load import with_values
from coview.recipe.tune_table import Choices, TuneRange

TRIAL = "trial"
"""The axis of trials."""

_AT_THE_END = "1000000000 steps"

Arm = tuple[str, str]
"""A modality, and a variant in it: what chooses for itself."""


@dataclass(frozen=True)
class Trial:
    """One trial.

    Attributes:
        arm: Whose.
        values: What is tried: dotted key to value.
        cell: Its run.
    """

    arm: Arm
    values: Mapping[str, Any]
    cell: ComparisonCell


def arm_of(cell: ComparisonCell) -> Arm:
    """Whose cell it is."""
    return cell.levels.get(RECIPE, ""), cell.variant


def trials_of(comparison: Comparison, registry: Registry) -> list[Trial]:
    """Every trial of a comparison's ``[tune]``, equally many of each variant in each modality; none without one.

    They are known before the first is run: combinations of values, or a scrambled Halton sequence
    (``scipy.stats.qmc``) where there are ranges or fewer trials than combinations.

    Raises:
        CoviewError: If variants would try unequally often, or what is chosen is swept over, or cannot be.
        RecipeError: If a trial is not a valid recipe.
    """
    tune = comparison.tune
    if not tune.choose and not tune.variants:
        return []
    first: dict[Arm, ComparisonCell] = {}
    for cell in comparison.cells:
        first.setdefault(arm_of(cell), cell)
    _check(comparison, [variant for _, variant in first])
    points = {variant: _points(tune.choose | tune.variants.get(variant, {}), tune.trials, tune.seed)
              for _, variant in first}  # fmt: skip
    counts = {variant: len(tried) for variant, tried in points.items()}
    if len(set(counts.values())) > 1:
        raise CoviewError(
            f"{comparison.path}: tune: variants would have different numbers of trials: "
            + ", ".join(f"{variant} {count}" for variant, count in counts.items()),
            hint="with tune.trials = N each has N trials",
        )
    metric = tuning_metric(comparison)
    return [
        Trial(arm, values, _cell(cell, values, f"{number}", metric, tune.seed, registry))
        for arm, cell in first.items()
        for number, values in enumerate(points[arm[1]])
    ]


def trials_as_comparison(comparison: Comparison, trials: Sequence[Trial]) -> Comparison:
    """The trials as something that can be run."""
    return replace(comparison, metric=tuning_metric(comparison), cells=[trial.cell for trial in trials], baseline=None)


def tuning_metric(comparison: Comparison) -> str:
    """The number that chooses.

    Raises:
        CoviewError: If neither ``tune.metric`` nor ``compare.metric`` says one.
    """
    metric = comparison.tune.metric or comparison.metric
    if metric is None:
        raise CoviewError(
            f"{comparison.path}: tune: nothing says which number chooses",
            hint='tune.metric = "EVALUATOR/METRIC", such as "linear_probe/accuracy"',
        )
    return metric


def _check(comparison: Comparison, variants: Sequence[str]) -> None:
    tune, where = comparison.tune, comparison.path
    for name in tune.variants:
        if name not in variants:
            raise CoviewError(
                f'{where}: tune.variants: no variant is called "{name}"{did_you_mean(name, variants)}',
                hint=f"variants: {', '.join(dict.fromkeys(variants))}",
            )
    axes = set(comparison.axes)
    for key in dict.fromkeys([*tune.choose, *(key for of in tune.variants.values() for key in of)]):
        if key in axes:
            raise CoviewError(f'{where}: tune: "{key}" is swept over, and so cannot be chosen')
        if dotted_key(key)[0] in ("sweep", "compare", "tune", "seed", "data", "evaluate"):
            raise CoviewError(f'{where}: tune: "{key}" defines how every variant is measured: it cannot be chosen')
    seeds = {str(cell.recipe.seed) for cell in comparison.cells}
    if str(tune.seed) in seeds:
        raise CoviewError(
            f"{where}: tune.seed: {tune.seed} is a seed of the sweep: the tested runs need other seeds than the trials"
        )


def _points(choices: Choices, trials: int | None, seed: int) -> list[dict[str, Any]]:
    """What is tried, in order."""
    from scipy.stats import qmc  # costs start-up time

    lists = {key: of for key, of in choices.items() if isinstance(of, list)}
    if len(lists) == len(choices):
        combinations = [dict(zip(lists, values, strict=True)) for values in product(*lists.values())]
        if trials is None or trials == len(combinations):
            return combinations
        if trials > len(combinations):
            raise CoviewError(
                f"tune.trials: {trials} trials of {len(combinations)} combinations of {', '.join(lists)}: "
                "give more values, a range, or fewer trials"
            )
        drawn = qmc.Halton(1, scramble=True, rng=seed).random(10_000)[:, 0]
        rows = dict.fromkeys(int(place * len(combinations)) for place in drawn)
        return [combinations[row] for row in list(rows)[:trials]]
    if trials is None:
        raise CoviewError("tune.trials: has to say how many trials there are, because a range has no number of values")
    place_TK = qmc.Halton(len(choices), scramble=True, rng=seed).random(trials)
    return [
        {key: _at(of, float(place)) for (key, of), place in zip(choices.items(), place_K, strict=True)}
        for place_K in place_TK
    ]


def _at(of: list[Any] | TuneRange, place: float) -> Any:
    """The value at a place from 0 to below 1; of a range to four digits, as one would write it."""
    if isinstance(of, list):
        return of[int(place * len(of))]
    value = of.low * (of.high / of.low) ** place if of.log else of.low + (of.high - of.low) * place
    return min(max(float(f"{value:.4g}"), of.low), of.high)


def _cell(
    cell: ComparisonCell, values: Mapping[str, Any], number: str, metric: str, seed: int, registry: Registry
) -> ComparisonCell:
    """A run that measures the number that chooses, on validation, and nothing on test."""
    use = metric.partition("/")[0]
    tables = [table for table in cell.recipe.layers.table.get("evaluate", []) if _named(table, use)]
    if not tables:
        raise CoviewError(f'tune: {cell.name} has no evaluator "{use}" that could measure {metric}')
    measured = {**tables[0], "every": _AT_THE_END, "test": False}
    also = {SEED: seed, "evaluate": [measured], "train.keep_best": metric}
    levels = {axis: level for axis, level in cell.levels.items() if axis != SEED}
    recipe = with_values(cell.recipe, values, "tune", registry, also)
    return ComparisonCell({**levels, TRIAL: f"trial-{number}"}, recipe)


def _named(table: Mapping[str, Any], use: str) -> bool:
    return str(table.get("use", "")).rpartition("/")[2] == use.rpartition("/")[2]
