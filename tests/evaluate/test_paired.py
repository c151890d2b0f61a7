from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_rel
from statsmodels.stats.contingency_tables import mcnemar

from coview.evaluate.intervals import groups_of
from coview.evaluate.paired import MCNEMAR, Items, paired_test


def hits(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    common = generator.random(n) < 0.7
    return tuple(  # type: ignore[return-value]
        (generator.random(n) < np.where(common, 0.9, chance)).astype(np.float32) for chance in (0.6, 0.4)
    )


def test_right_or_wrong_once_is_mcnemars_exact_test() -> None:
    one, other = hits(200)
    table = [[((one == a) & (other == b)).sum() for b in (1, 0)] for a in (1, 0)]
    found = paired_test(Items(one, None, None), Items(other, None, None))
    assert found is not None
    assert found.by == MCNEMAR
    assert found.p == pytest.approx(mcnemar(table, exact=True).pvalue)
    assert found.difference == pytest.approx(one.mean() - other.mean())
    assert found.ci_low < found.difference < found.ci_high


def test_other_numbers_of_items_are_a_paired_t_test() -> None:
    one, other = (part.astype(float) + np.random.default_rng(5).random(200) for part in hits(200))
    peer = ttest_rel(one, other)
    found = paired_test(Items(one, None, None), Items(other, None, None))
    assert found is not None
    assert found.p == pytest.approx(peer.pvalue)
    interval = peer.confidence_interval()
    assert (found.ci_low, found.ci_high) == pytest.approx((interval.low, interval.high))


@pytest.mark.parametrize("count", [2, 5])
def test_groups_of_one_size_are_a_paired_t_test_of_their_means(count: int) -> None:
    one, other = hits(60 * count, seed=count)
    groups = groups_of(np.repeat(np.arange(count), 60))
    peer = ttest_rel(*(part.reshape(count, 60).mean(1, dtype=float) for part in (one, other)))
    found = paired_test(Items(one, None, groups), Items(other, None, groups))
    assert found is not None
    assert found.p == pytest.approx(peer.pvalue, rel=1e-5)
    assert found.by == f"paired t test of the {count} groups"


def test_of_two_that_do_not_differ_one_in_twenty_is_told_apart() -> None:
    """Five draws of labels, the same for both, that favour one or the other: by items alone it would be far more."""
    generator = np.random.default_rng(0)
    found, alone = 0, 0
    for _ in range(400):
        favour = 0.05 * generator.standard_normal((5, 1))
        sides = [(generator.random((5, 300)) < 0.6 + sign * favour).astype(float) for sign in (1, -1)]
        with_draws, without = (
            paired_test(*(Items(part.mean(0), part.mean(1) if drawn else None, None) for part in sides))
            for drawn in (True, False)
        )
        assert with_draws is not None
        assert without is not None
        found += with_draws.p < 0.05
        alone += without.p < 0.05
    assert found / 400 < 0.08
    assert alone / 400 > 0.2


def test_the_same_difference_everywhere_is_as_sure_as_signs_are() -> None:
    groups = groups_of(np.repeat([0, 1, 2], 10))
    found = paired_test(Items(np.ones(30), None, groups), Items(np.zeros(30), None, groups))
    assert found is not None
    assert found.p == 0.25
    same = paired_test(Items(np.ones(30), None, groups), Items(np.ones(30), None, groups))
    assert same is not None
    assert same.p == 1


def test_other_items_are_not_paired() -> None:
    assert paired_test(Items(np.ones(3), None, None), Items(np.ones(4), None, None)) is None
