from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coview import CoviewError, Rng
from coview.evaluate.label_budget import as_budgets, draw_labels

LABELS = np.array([2, 0, 2, 5, 0, 2, 5, 5, 0, 2, 0, 5])


def test_as_many_of_each_class_as_asked() -> None:
    drawn = draw_labels(LABELS, (1, 3, "all"), 4, Rng(0))
    for budget in (1, 3):
        assert len(drawn[budget]) == 4
        for rows in drawn[budget]:
            assert np.unique(LABELS[rows], return_counts=True)[1].tolist() == [budget] * 3
            assert len(set(rows.tolist())) == 3 * budget
            assert (np.diff(rows) > 0).all()
    assert [rows.tolist() for rows in drawn["all"]] == [list(range(12))]


def test_draws_differ_and_are_the_same_again() -> None:
    labels = np.repeat(np.arange(3), 100)
    drawn = draw_labels(labels, (5,), 6, Rng(1))[5]
    assert len({tuple(rows) for rows in drawn}) == 6
    assert [rows.tolist() for rows in draw_labels(labels, (5,), 6, Rng(1))[5]] == [rows.tolist() for rows in drawn]
    assert drawn[0].tolist() != draw_labels(labels, (5,), 6, Rng(2))[5][0].tolist()


@given(small=st.integers(1, 20), large=st.integers(1, 20), draws=st.integers(1, 4), seed=st.integers(0, 50))
@settings(max_examples=40, deadline=None)
def test_budgets_are_nested_and_do_not_disturb_each_other(small: int, large: int, draws: int, seed: int) -> None:
    small, large = sorted((small, large))
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(4), 20))
    both = draw_labels(labels, (large, "all", small), draws, Rng(seed))
    alone = draw_labels(labels, (small,), draws, Rng(seed))
    for few, many, again in zip(both[small], both[large], alone[small], strict=True):
        assert set(few.tolist()) <= set(many.tolist())
        assert few.tolist() == again.tolist()


def test_every_sample_is_as_likely_as_every_other() -> None:
    labels = np.repeat(np.arange(2), 10)
    counts = np.zeros(20)
    for rows in draw_labels(labels, (3,), 4000, Rng(3))[3]:
        counts[rows] += 1
    expected, deviation = 4000 * 3 / 10, np.sqrt(4000 * 0.3 * 0.7)
    assert (np.abs(counts - expected) < 4.5 * deviation).all()


def test_a_class_with_too_few_is_named() -> None:
    labels = np.array([0] * 12 + [1] * 4 + [2] * 9)
    with pytest.raises(CoviewError, match=r"labels_per_class = 10: class 'dog' has 4 labelled training samples"):
        draw_labels(labels, (1, 10), 2, Rng(0), classes=("cat", "dog", "eel"))
    with pytest.raises(CoviewError, match="class 1 has 4"):
        draw_labels(labels, (5, "all"), 2, Rng(0))


def test_a_share_is_taken_of_each_class() -> None:
    labels = np.repeat(np.arange(3), [200, 55, 4])
    drawn = draw_labels(labels, ("1%", "10%", 2, "all"), 3, Rng(0))
    for few, some in zip(drawn["1%"], drawn["10%"], strict=True):
        assert np.bincount(labels[few]).tolist() == [2, 1, 1]  # one of each at least
        assert np.bincount(labels[some]).tolist() == [20, 6, 1]
        assert set(few.tolist()) <= set(some.tolist())
    two = draw_labels(labels, (2,), 3, Rng(0))[2]
    assert [rows.tolist() for rows in drawn[2]] == [rows.tolist() for rows in two]


@pytest.mark.parametrize("budget", ["0%", "101%", "0.0 %"])
def test_a_share_is_a_share(budget: str) -> None:
    with pytest.raises(ValueError, match="above 0% and at most 100%"):
        as_budgets(budget)


def test_a_share_is_written_one_way() -> None:
    assert as_budgets(("10 %", "0.50%")) == ("10%", "0.5%")
    with pytest.raises(ValueError, match="different"):
        as_budgets(("10%", "10 %"))


def test_the_rng_advances_alike_whatever_the_budgets() -> None:
    first, second = Rng(0), Rng(0)
    draw_labels(LABELS, (1,), 3, first)
    draw_labels(LABELS, ("all", 2, 3), 3, second)
    assert first.seed32() == second.seed32()


def test_budgets_bare_or_listed() -> None:
    assert as_budgets("all") == ("all",)
    assert as_budgets(10) == (10,)
    assert as_budgets((1, "all")) == (1, "all")
    for wrong in ((), (3, 3), ("all", 1, "all")):
        with pytest.raises(ValueError, match="labels_per_class has to be different numbers"):
            as_budgets(wrong)
