"""Rows that share a key, in one step or in several, have one number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from coview import joined_rows


@given(
    st.integers(0, 12).flatmap(
        lambda n: st.tuples(
            st.just(n), st.lists(st.tuples(st.integers(0, max(0, n - 1)), st.integers(0, 9)), max_size=30 if n else 0)
        )
    )
)
def test_numbers_are_those_of_the_closure(case):
    n, shared = case
    linked = [
        [
            row == other or any((row, key) in shared and (other, key) in shared for key in range(10))
            for other in range(n)
        ]
        for row in range(n)
    ]
    for k in range(n):
        for i in range(n):
            for j in range(n):
                linked[i][j] = linked[i][j] or (linked[i][k] and linked[k][j])
    found = joined_rows(n, shared).tolist()
    assert [[a == b for b in found] for a in found] == linked
    firsts = list(dict.fromkeys(found))
    assert firsts == list(range(len(firsts)))
