"""Whether what was pretrained and a control differ: a test of two numbers that are of the same test items."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from coview.evaluate.intervals import Groups, draws_variance, mean_variance, t_interval, variance_of

MCNEMAR = "McNemar's exact test of the test items"


@dataclass(frozen=True)
class Paired:
    """What was pretrained less a control.

    Attributes:
        difference: The one number less the other.
        ci_low, ci_high: Its 95 % t interval.
        p: Two-sided, of this test alone: nothing is corrected for there being several.
        by: What the test is of, in words.
    """

    difference: float
    ci_low: float
    ci_high: float
    p: float
    by: str

    def __str__(self) -> str:
        return f"{self.difference:+.3f}, {said_p(self.p)}"


@dataclass(frozen=True)
class Items:
    """How something did on each test item.

    Attributes:
        per_item: The number of each item, the mean over draws.
        per_draw: The number of each draw of labels; absent: not drawn.
        groups: Of the items.
    """

    per_item: np.ndarray
    per_draw: np.ndarray | None
    groups: Groups | None


def said_p(p: float) -> str:
    """``p = 0.012``, ``p < 0.001``."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def paired_test(one: Items, other: Items) -> Paired | None:
    """Tests the difference of two means over the same items; None where the items are not as many.

    By groups where there are groups: a t test of their jackknife, which for groups of one size is the paired t test of
    their means. By items without: McNemar's exact test where each item was told rightly or wrongly, once; else the
    paired t test. What varies between draws of labels, the same for both, is added to the variance.
    """
    if one.per_item.shape != other.per_item.shape:
        return None
    difference_N = one.per_item.astype(np.float64) - other.per_item
    value = float(difference_N.mean())
    of_draws = _of_draws(one.per_draw, other.per_draw)
    parts = (mean_variance(difference_N, one.groups), *of_draws)
    low, high = t_interval(value, *parts)
    units, what = (len(difference_N), "test items") if one.groups is None else (one.groups.count, "groups")
    by = f"paired t test of the {units:,} {what}{' and the draws' * bool(of_draws)}"
    binary = all(np.isin(items.per_item, (0, 1)).all() for items in (one, other))
    if one.groups is None and binary and not of_draws:
        from scipy import stats  # it costs start-up time

        first, second = int((difference_N > 0).sum()), int((difference_N < 0).sum())
        p = float(stats.binomtest(first, first + second).pvalue) if first + second else 1.0
        return Paired(value, low, high, p, MCNEMAR)
    return Paired(value, low, high, _p(value, parts, units), by)


def _p(value: float, parts: tuple[tuple[float, int], ...], units: int) -> float:
    total, freedom = variance_of(parts)
    if total > 1e-24:
        from scipy import stats  # it costs start-up time

        return float(2 * stats.t.sf(abs(value) / math.sqrt(total), freedom))
    # the same difference everywhere: no spread to measure it by, and what is left is the test of signs
    return 1.0 if abs(value) < 1e-12 else 2.0 ** (1 - min(units, 1000))


def _of_draws(one: np.ndarray | None, other: np.ndarray | None) -> tuple[tuple[float, int], ...]:
    """The variance between draws: of their differences where both have the same, else of each."""
    drawn = [per_draw for per_draw in (one, other) if per_draw is not None and len(per_draw) > 1]
    if len(drawn) == 2 and len(drawn[0]) == len(drawn[1]):
        return draws_variance(drawn[0] - drawn[1])
    return tuple(part for per_draw in drawn for part in draws_variance(per_draw))
