"""Until decided: decisions are a function of the cells, and no cell is asked for that decides nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from coview.compare.statistics.look_sizes import look_sizes
from coview.compare.statistics.looks import look, look_alpha
from coview.compare.statistics.model_test import model_test
from coview.compare.statistics.pairs import compare_pairs
from coview.compare.statistics.scores import Scores

MEANS = np.array([0.8, 0.5, 0.505, 0.2])


def scores(value_VS, ended_VS=None) -> Scores:
    V, S = value_VS.shape
    none_VS = np.full((V, S), np.nan)
    ended_VS = np.isfinite(value_VS) if ended_VS is None else ended_VS
    return Scores(
        "one", tuple("abcdefgh"[:V]), tuple(map(str, range(S))), value_VS, none_VS, none_VS, ended_VS=ended_VS
    )


@pytest.fixture(scope="module")
def whole_VS():  # noqa: N802
    return MEANS[:, None] + np.random.default_rng(0).normal(0, 0.012, (4, 12))


def test_looks_grow_by_half_and_spend_no_more_than_there_is():
    assert list(look_sizes(20)) == [3, 5, 8, 12, 18]
    assert list(look_sizes(2)) == []
    assert sum(look_alpha(number) for number in range(60)) == pytest.approx(0.05)


def as_far_as_asked(whole_VS, stop=None):
    """Cells run one after the other, each time those that are asked for, as a comparison does."""
    value_VS = np.full_like(whole_VS, np.nan)
    history = []
    while True:
        found = look(scores(value_VS))
        history.append(found)
        asked = [("abcd".index(variant), int(seed)) for variant, seed in found.asked]
        missing = sorted(cell for cell in asked if np.isnan(value_VS[cell]))
        if not missing:
            return value_VS, history
        for cell in missing[:stop]:
            value_VS[cell] = whole_VS[cell]


def test_only_undecided_pairs_get_more_seeds(whole_VS):
    value_VS, history = as_far_as_asked(whole_VS)
    assert np.isfinite(value_VS).sum(1).tolist()[::3] == [3, 3]  # a and d are decided at the first look
    assert np.isfinite(value_VS).sum(1).tolist()[1:3] == [12, 12]
    assert [found.seeds for found in history] == [0, 3, 5, 8, 12]
    assert history[-1].undecided == 1
    first = model_test(scores(whole_VS[:, :3]), look_alpha(0)).pairs
    decided = {frozenset((p.first, p.second)): p for p in first if p.p_all < look_alpha(0)}
    last = {frozenset((p.first, p.second)): p for p in history[-1].tested.pairs}
    assert len(decided) == 5
    for which, pair in decided.items():
        assert last[which].difference == pytest.approx(pair.difference)
        assert last[which].differs


def test_interrupted_and_continued_gives_the_same_decisions(whole_VS):
    at_once, history = as_far_as_asked(whole_VS)
    one_by_one, other = as_far_as_asked(whole_VS, stop=1)
    np.testing.assert_array_equal(at_once, one_by_one)
    assert history[-1] == other[-1]
    assert compare_pairs(scores(at_once)).pairs == history[-1].tested.pairs


def test_cells_that_were_not_asked_for_change_nothing(whole_VS):
    used, history = as_far_as_asked(whole_VS)
    assert look(scores(whole_VS)).tested.pairs == history[-1].tested.pairs
    assert np.isnan(used).any()


def test_a_variant_that_crashes_holds_up_nothing(whole_VS):
    value_VS, ended_VS = whole_VS.copy(), np.ones(whole_VS.shape, dtype=bool)
    value_VS[3] = np.nan
    found = look(scores(value_VS, ended_VS))
    assert {pair.first + pair.second for pair in found.tested.pairs} == {"ab", "ac", "cb"} or len(
        found.tested.pairs
    ) == 3
    assert found.seeds == 12
    waiting = look(scores(value_VS, np.isfinite(value_VS)))
    assert (waiting.looks, waiting.undecided) == (0, -1)
    assert ("d", "2") in waiting.asked


def test_a_margin_decides_too(whole_VS):
    found = look(replace(scores(whole_VS), margin=0.05))
    assert found.undecided == 0
    assert {pair.answer(1, 0.05) for pair in found.tested.pairs} == {"better", "the same within the margin"}
    assert found.seeds < 12
