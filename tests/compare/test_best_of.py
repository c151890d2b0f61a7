"""The interval of the best of several variants: as wide as chance can have raised it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from coview.compare.statistics.best_of import half_widths, quantile_of
from coview.compare.statistics.controls import gains
from coview.compare.statistics.scores import Scores


def test_where_seeds_move_all_variants_alike_it_is_the_t_interval_of_one():
    """Then the choice adds nothing: all are off by the same."""
    seeds = np.array([0.01, -0.02, 0.04])
    value_VS = np.arange(5)[:, None] + seeds + np.random.default_rng(0).normal(0, 1e-7, (5, 3))
    expected = stats.t.ppf(0.975, 2) * stats.sem(seeds)
    assert half_widths(value_VS) == pytest.approx(np.full(5, expected), rel=0.05)


def test_where_variants_are_off_each_for_itself_it_is_near_the_largest_of_so_many():
    """Of many seeds spreads are known: each end of the largest of six normal deviations.

    Somewhat wider: effects of seeds that are none are known to a sixth of the variance, and drawn to as much again.
    """
    generator = np.random.default_rng(1)
    value_VS = generator.normal(0, 0.02, (6, 400))
    of_one = 0.02 / 20
    largest = np.quantile(generator.normal(0, of_one, (100_000, 6)).max(1), 0.975)
    half_V = half_widths(value_VS)
    assert half_V.mean() == pytest.approx(largest * (1 + 2 / 6) ** 0.5, rel=0.05)
    assert half_V.min() > largest
    assert largest > 1.3 * stats.norm.ppf(0.975) * of_one


def test_the_best_of_equal_variants_is_not_above_a_control():
    """Student's interval of the best one alone says so in more than 0.05 of such comparisons."""
    generator = np.random.default_rng(2)
    wrong = alone = 0
    for _ in range(60):
        value_VS = generator.normal(0, 0.015, (6, 3))
        best = int(value_VS.mean(1).argmax())
        wrong += value_VS[best].mean() > half_widths(value_VS)[best]
        alone += stats.ttest_1samp(value_VS[best], 0).pvalue < 0.05
    assert wrong <= 3
    assert alone > wrong


def test_a_missing_cell_widens_its_variant_and_what_the_model_cannot_tell_is_left_to_student():
    generator = np.random.default_rng(3)
    value_VS = generator.normal(0, 0.015, (5, 1)) + generator.normal(0, 0.01, (5, 6))
    whole = half_widths(value_VS)
    value_VS[2, 2:] = np.nan
    lacking = half_widths(value_VS)
    assert lacking[2] > 1.2 * whole[2]
    assert half_widths(value_VS[:2]) is None
    assert half_widths(value_VS[:, :1]) is None
    assert quantile_of(1, 2) == pytest.approx(4.302653)
    assert quantile_of(6, 2) == pytest.approx(stats.t.isf(0.025 / 6, 2))


def test_an_interval_of_a_difference_ends_where_differences_do():
    """Shares differ by at most 1: two seeds far apart, by Student's t with one degree of freedom, would say 5."""
    value_VS, control_VS = np.array([[0.1, 0.9]]), np.array([[0.05, 0.05]])
    scores = Scores("image", ("a",), ("0", "1"), value_VS, control_VS, np.full((1, 2), np.nan), bounds=(0.0, 1.0))
    (gain,) = gains(scores, "a", [SimpleNamespace(seed="0"), SimpleNamespace(seed="1")])
    assert (gain.difference, gain.low, gain.high) == (pytest.approx(0.45), -1.0, 1.0)
    (free,) = gains(replace(scores, bounds=(0.0, None)), "a", [SimpleNamespace(seed="0"), SimpleNamespace(seed="1")])
    assert free.high == pytest.approx(0.45 + stats.t.ppf(0.975, 1) * 0.4)
