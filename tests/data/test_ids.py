"""No two rows have one id, and each has one always."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import coview
from coview.data import ids as ids_module
from coview.data.ids import IdWatch, check_ids, equal_ids, ids_as_int64
from coview.data.sample import id_as_int64


@given(st.lists(st.integers(0, 30), max_size=20))
def test_the_first_two_of_one_id(numbers):
    pairs = [(i, j) for i in range(len(numbers)) for j in range(i + 1, len(numbers)) if numbers[i] == numbers[j]]
    assert equal_ids(np.array(numbers, dtype=np.int64)) == min(pairs, default=None)


@pytest.mark.parametrize("ids", [[3, 1, 2], np.array([3, 1], dtype=np.uint8), ["a", "b"], [1, "a"], []])
def test_ids_become_what_the_loader_makes_of_them(ids):
    assert ids_as_int64(ids).tolist() == [id_as_int64(item) for item in ids]


def test_rows_of_one_id_are_named():
    check_ids(np.array([4, 9]), np.array([1, 2]), "here")
    with pytest.raises(coview.CoviewError, match=r"^here: rows 4 and 9 have the same id\n"):
        check_ids(np.array([9, 2, 4]), np.array([1, 2, 1]), "here")


@given(st.data(), st.integers(0, 3))
def test_the_watch_finds_what_a_dictionary_does(data, recent):
    """Over several epochs, in batches, whatever part of the ids has been sorted already."""
    number = data.draw(st.integers(1, 12))
    ids = data.draw(st.lists(st.integers(0, 15), min_size=number, max_size=number))
    batches = data.draw(st.lists(st.lists(st.integers(0, number - 1), max_size=4), max_size=12))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ids_module, "_RECENT", recent)
        watch = IdWatch(number, "here")
        row_of: dict[int, int] = {}
        for rows in batches:
            clash = next(((row_of[ids[r]], r) for r in rows if row_of.setdefault(ids[r], r) != r), None)
            if clash is None:
                watch.note(rows, [ids[row] for row in rows])
                continue
            with pytest.raises(coview.CoviewError) as caught:
                watch.note(rows, [ids[row] for row in rows])
            first, second = sorted(clash)
            assert caught.value.message == f"here: rows {first} and {second} have the same id"
            return


def test_an_id_that_changes_is_found_in_a_later_epoch_and_in_one_batch():
    watch = IdWatch(5, "here")
    watch.note([3, 1], [7, 8])
    watch.note([1], [8])
    for rows, ids in (([3], [9]), ([2, 2], [5, 6])):
        with pytest.raises(coview.CoviewError, match=f"here: row {rows[0]} has a different id than when it was read"):
            watch.note(rows, ids)
