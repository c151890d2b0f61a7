from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.stats import bootstrap

from coview.evaluate import intervals
from coview.evaluate.intervals import accuracy_interval


def test_one_draw_equals_scipys_percentile_bootstrap() -> None:
    hits = np.random.default_rng(0).random(400) < 0.7
    ours = accuracy_interval(hits[None], np.random.default_rng(1))
    peer = bootstrap((hits.astype(float),), np.mean, method="percentile", n_resamples=10_000, rng=2).confidence_interval
    assert ours == pytest.approx((peer.low, peer.high), abs=0.003)


def test_several_draws_equal_resampling_them_one_by_one() -> None:
    generator = np.random.default_rng(0)
    hits = generator.random((4, 60)) < np.array([[0.5], [0.6], [0.7], [0.9]])
    means = []
    for _ in range(20_000):
        items = generator.integers(60, size=60)
        draws = generator.integers(4, size=3)
        means.append(hits[np.ix_(draws, items)].mean())
    expected = np.percentile(means, [2.5, 97.5])
    assert accuracy_interval(hits, np.random.default_rng(1)) == pytest.approx(expected, abs=0.01)


def test_covers_the_truth_of_a_binomial_95_percent_of_the_time() -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(500):
        low, high = accuracy_interval((generator.random(300) < 0.8)[None], generator)
        covered += low <= 0.8 <= high
    assert covered / 500 == pytest.approx(0.95, abs=0.03)


def test_covers_the_truth_of_draws_that_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five draws whose accuracy varies around 0.7, four fifths of whose hits and misses are common to all."""
    monkeypatch.setattr(intervals, "RESAMPLES", 1000)
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        accuracy = 0.7 + 0.02 * generator.standard_normal((5, 1))
        common = generator.random((5, 200)) < 0.8
        luck = np.where(common, generator.random((1, 200)), generator.random((5, 200)))
        low, high = accuracy_interval(luck < accuracy, generator)
        covered += low <= 0.7 <= high
    assert covered / 400 == pytest.approx(0.95, abs=0.035)


def test_draws_that_differ_widen_the_interval() -> None:
    same = np.tile(np.arange(1000) % 10 < 7, (5, 1))
    differ = np.array([np.arange(1000) % 10 < level for level in (5, 6, 7, 8, 9)])
    low, high = accuracy_interval(same, np.random.default_rng(0))
    wide_low, wide_high = accuracy_interval(differ, np.random.default_rng(0))
    assert wide_high - wide_low > 3 * (high - low)


@pytest.mark.parametrize("value", [False, True])
def test_certainty_has_no_width(value: bool) -> None:
    assert accuracy_interval(np.full((3, 50), value), np.random.default_rng(0)) == (float(value), float(value))


def test_same_generator_same_interval_in_less_than_a_second() -> None:
    hits = np.random.default_rng(0).random((5, 10_000)) < 0.6
    begin = time.process_time()
    first = accuracy_interval(hits, np.random.default_rng(3))
    assert time.process_time() - begin < 1
    assert first == accuracy_interval(hits, np.random.default_rng(3))
    assert first != accuracy_interval(hits, np.random.default_rng(4))
