"""Judged pairs."""

from __future__ import annotations

import numpy as np
import pytest

import coview


def test_pairs_are_arrays_of_fixed_types():
    pairs = coview.Pairs([0, 1], [2, 0], [3, 4])
    assert len(pairs) == 2
    assert [a.dtype for a in (pairs.first_P, pairs.second_P, pairs.score_P)] == [np.int64, np.int64, np.float64]


@pytest.mark.parametrize(
    ("first", "second", "score", "says"),
    [
        ([0], [1, 2], [1.0], "the same length"),
        ([[0]], [[1]], [[1.0]], "one dimension"),
        ([0], [-1], [1.0], "negative"),
        ([0], [1], [float("nan")], "not finite"),
    ],
)
def test_what_is_no_pairs(first, second, score, says):
    with pytest.raises(ValueError, match=says):
        coview.Pairs(first, second, score)
