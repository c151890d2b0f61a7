"""The numbers of one modality: variants by seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from coview.compare.table import Row, Table
from coview.evaluate.intervals import Groups, groups_of
from coview.evaluate.result import FeatureKind
from coview.recipe.tables import Test


@dataclass(frozen=True)
class Scores:
    """Of one modality.  V variant · S seed · N test item

    Attributes:
        modality: Which.
        variants, seeds: The names.
        value_VS: The number that ranks, of the encoders that are compared; NaN where there is none.
        untrained_VS, raw_VS: Its controls.
        items_VSN: How each run did on each test item; None unless it is there for every number, in the same order.
        groups: Of the test items, where there are several groups.
        lower_is_better: Whether the best number is the lowest.
        bounds: The smallest and the largest value that a number can have; None where there is no bound.
        baseline: The variant that each other is tested against; absent: each against each.
        n: How many test items a number is of; 0 where that is not known.
        test: By which pairs are tested.
        margin: Differences that do not matter; 0: all matter.
        ended_VS: Which cells have been run, with or without a number, where seeds are added until pairs are decided;
            absent: all seeds are tested once.
    """

    modality: str
    variants: tuple[str, ...]
    seeds: tuple[str, ...]
    value_VS: np.ndarray
    untrained_VS: np.ndarray
    raw_VS: np.ndarray
    items_VSN: np.ndarray | None = None
    groups: Groups | None = None
    lower_is_better: bool = False
    bounds: tuple[float | None, float | None] = (None, None)
    baseline: str | None = None
    n: int = 0
    test: Test = "model"
    margin: float = 0.0
    ended_VS: np.ndarray | None = None

    @cached_property
    def means(self) -> np.ndarray:
        """Over the seeds that there are; NaN where there is none."""
        return mean_over_seeds(self.value_VS)

    @property
    def order(self) -> list[int]:
        """Variants from the best mean to the worst; those without a number are left out, ties stay in their order."""
        there = np.flatnonzero(np.isfinite(self.means))
        return [int(v) for v in there[np.argsort(-self.sign * self.means[there], kind="stable")]]

    @property
    def sign(self) -> int:
        """What makes the better number the higher one: 1 or -1."""
        return -1 if self.lower_is_better else 1


def mean_over_seeds(value_VS: np.ndarray) -> np.ndarray:
    """The mean of the finite numbers of each row; NaN for a row without any."""
    finite_VS = np.isfinite(value_VS)
    count_V = finite_VS.sum(1)
    return np.where(count_V, np.where(finite_VS, value_VS, 0).sum(1) / np.maximum(count_V, 1), np.nan)


def scores_of(table: Table, modality: str) -> Scores:
    """The numbers of a modality.

    Variants that it has no cell of are left out: they were not asked of it.
    """
    rows = table.of(modality)
    variants = tuple(variant for variant in table.variants if table.of(modality, variant))
    seeds = tuple(dict.fromkeys(row.seed for row in rows))
    at = {(row.variant, row.seed): row for row in rows}

    def values(features: FeatureKind) -> np.ndarray:
        grid = [[at[v, s].value(features) if (v, s) in at else np.nan for s in seeds] for v in variants]
        return np.array(grid, dtype=float).reshape(len(variants), len(seeds))

    value_VS = values("pretrained")
    value_VS[~np.isfinite(value_VS)] = np.nan
    items_VSN = _items(variants, seeds, at, value_VS)
    return Scores(
        modality,
        variants,
        seeds,
        value_VS,
        untrained_VS=values("untrained"),
        raw_VS=values("raw"),
        items_VSN=items_VSN,
        groups=None if items_VSN is None else _groups(rows),
        lower_is_better=table.lower_is_better,
        bounds=table.bounds,
        baseline=table.baseline,
        n=next((row.results["pretrained"].n for row in rows if "pretrained" in row.results), 0),
        test=table.test,
        margin=table.margin,
        ended_VS=_ended(variants, seeds, at) if table.until_decided else None,
    )


def _ended(variants: tuple[str, ...], seeds: tuple[str, ...], at: dict[tuple[str, str], Row]) -> np.ndarray:
    return np.array([[(v, s) in at and at[v, s].status != "missing" for s in seeds] for v in variants])


def _groups(rows: Sequence[Row]) -> Groups | None:
    """Of the test items, as a run has kept them: all are measured on the same."""
    for row in rows:
        result = row.results.get("pretrained")
        if row.run is None or result is None or result.groups is None:
            continue
        try:
            of_N = np.load(row.run.item_groups(result.protocol_hash), allow_pickle=False)
        except (OSError, ValueError):
            continue
        if of_N.shape == (result.n,):
            return groups_of(of_N)
    return None


def _items(
    variants: tuple[str, ...], seeds: tuple[str, ...], at: dict[tuple[str, str], Row], value_VS: np.ndarray
) -> np.ndarray | None:
    found: dict[tuple[int, int], np.ndarray] = {}
    for v, s in zip(*np.nonzero(np.isfinite(value_VS)), strict=True):
        items = items_of(at[variants[v], seeds[s]], "pretrained")
        if items is None or any(items.shape != other.shape for other in found.values()):
            return None
        found[int(v), int(s)] = items
    if not found:
        return None
    items_VSN = np.full((*value_VS.shape, len(next(iter(found.values())))), np.nan, dtype=np.float32)
    for (v, s), items in found.items():
        items_VSN[v, s] = items
    return items_VSN


def items_of(row: Row, features: FeatureKind) -> np.ndarray | None:
    """What the run kept of each test item, if that is what its number is the mean of.

    Args:
        row: The run.
        features: Which of its numbers, by the columns of the table.
    """
    result = row.results.get(features)
    if row.run is None or result is None:
        return None
    try:
        items: np.ndarray = np.load(row.run.per_item(result.protocol_hash, result.kind), allow_pickle=False)
    except (OSError, ValueError):
        return None
    right = items.ndim == 1 and len(items) == result.n and abs(items.mean(dtype=np.float64) - result.value) < 1e-4
    return items if right else None
