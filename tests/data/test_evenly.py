"""A few places among many, against a loop in whole numbers."""

import pytest

from coview.data.evenly import evenly


@pytest.mark.parametrize(("count", "most"), [(1, 8), (5, 8), (8, 8), (9, 8), (100, 8), (60_000, 32), (3, 2), (10, 1)])
def test_they_are_the_first_the_last_and_as_far_apart_as_whole_numbers_allow(count, most):
    steps = max(1, most - 1)
    expected = sorted({at * (count - 1) // steps for at in range(min(most, steps + 1))})
    assert evenly(count, most) == expected
    assert len(expected) <= min(count, most)


def test_of_none_there_is_none():
    assert evenly(0, 8) == []
