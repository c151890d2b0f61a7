from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.stats import bootstrap, sem, t

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


def of_groups(sizes: list[int], seed: int = 0) -> tuple[np.ndarray, intervals.Groups]:
    generator = np.random.default_rng(seed)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    found = intervals.groups_of(generator.permutation(10 * groups))
    assert found is not None
    return generator.random(len(groups)) < 0.3 + 0.4 * (found.of_N % 2), found


@pytest.mark.parametrize("count", [2, 3, 8])
def test_over_groups_of_one_size_it_is_the_t_interval_of_their_means(count: int) -> None:
    hits, groups = of_groups([40] * count)
    means = np.array([hits[groups.of_N == g].mean() for g in range(count)])
    expected = t.interval(0.95, count - 1, means.mean(), sem(means))
    assert accuracy_interval(hits[None], np.random.default_rng(0), groups) == pytest.approx(expected)


def test_over_groups_of_different_sizes_each_is_left_out_in_a_loop() -> None:
    hits, groups = of_groups([10, 80, 35, 5])
    without = np.array([hits[groups.of_N != g].mean() for g in range(4)])
    error = np.sqrt(3 / 4 * ((without - without.mean()) ** 2).sum())
    low, high = accuracy_interval(hits[None], np.random.default_rng(0), groups)
    assert (high - low) / 2 == pytest.approx(t.ppf(0.975, 3) * error)
    ends = intervals.paired_interval(hits, hits, lambda a, b: float(np.mean(a)), np.random.default_rng(0), groups)
    assert ends == pytest.approx((low, high))


def test_two_speakers_tell_nothing_of_a_third() -> None:
    """0.196 and 0.378: an interval over their thousand recordings would end at 0.259 and 0.315."""
    hits = np.repeat([True, False, True, False], [98, 402, 189, 311])
    groups = intervals.groups_of(np.repeat([7, 3], 500))
    low, high = accuracy_interval(hits[None], np.random.default_rng(0), groups)
    assert low < 0.196 < 0.378 < high
    assert (low, high) == pytest.approx(t.interval(0.95, 1, 0.287, sem([0.196, 0.378])))


@pytest.mark.parametrize("count", [2, 3, 6, 20])
def test_covers_the_truth_of_other_groups(count: int) -> None:
    """Groups whose accuracy varies around 0.6, of sizes that differ; a bootstrap of them covers far less."""
    generator = np.random.default_rng(count)
    covered = bootstrapped = 0
    for _ in range(400):
        sizes = generator.integers(60, 140, count)
        accuracy = np.repeat((0.6 + 0.1 * generator.standard_normal(count)).clip(0, 1), sizes)
        groups = intervals.groups_of(np.repeat(np.arange(count), sizes))
        hits = generator.random(len(accuracy)) < accuracy
        low, high = accuracy_interval(hits[None], generator, groups)
        covered += low <= 0.6 <= high
        right = np.bincount(groups.of_N, hits)
        drawn = generator.integers(count, size=(500, count))
        low, high = np.percentile(right[drawn].sum(1) / sizes[drawn].sum(1), [2.5, 97.5])
        bootstrapped += low <= 0.6 <= high
    assert covered / 400 == pytest.approx(0.95, abs=0.03)
    if count <= 6:
        assert bootstrapped / 400 < 0.9
    if count == 2:
        assert bootstrapped / 400 < 0.6


@pytest.mark.parametrize("count", [2, 4])
def test_covers_the_truth_of_other_groups_and_other_labels(count: int) -> None:
    """Draws that vary little and much beside the groups: a small variance between two groups is not believed."""
    for of_draws in (0.01, 0.1):
        generator = np.random.default_rng(count)
        covered = 0
        for _ in range(400):
            of_g, of_s = 0.05 * generator.standard_normal(count), of_draws * generator.standard_normal((5, 1))
            accuracy = 0.5 + np.repeat(of_g, 100) + of_s
            groups = intervals.groups_of(np.repeat(np.arange(count), 100))
            low, high = accuracy_interval(generator.random(accuracy.shape) < accuracy, generator, groups)
            covered += low <= 0.5 <= high
        assert covered / 400 > 0.93


def test_one_group_or_one_for_each_item_is_an_interval_over_items() -> None:
    assert intervals.groups_of(None) is None
    assert intervals.groups_of(np.zeros(5)) is None
    assert intervals.groups_of(np.arange(5)) is None
