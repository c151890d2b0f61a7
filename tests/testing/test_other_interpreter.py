"""Other interpreters stand where this one does, hash otherwise, and are enough of them."""

from __future__ import annotations

import os

from coview.testing.other_interpreter import OTHERS, Failed, call_elsewhere

PAIRS = [(f"left {number}", f"right {number}") for number in range(3000)]


def orders(pairs):
    """Which comes first in a set of each two."""
    return [next(iter({*pair})) == pair[0] for pair in pairs]


def only_one_ends(pid):
    if os.getpid() == pid:
        os._exit(1)
    return "there"


def test_they_stand_where_this_one_does(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OF_A_TEST", "1")
    assert {*call_elsewhere(os.getcwd)} == {str(tmp_path)}
    assert {*call_elsewhere(os.getenv, "OF_A_TEST")} == {"1"}
    assert {*call_elsewhere(print, "no answer")} == {None}
    assert all(found.reason.startswith("ValueError: invalid literal") for found in call_elsewhere(int, "x"))


def test_they_hash_otherwise_and_serve_every_call():
    first = call_elsewhere(os.getpid)
    assert len({*first, os.getpid()}) == OTHERS + 1
    assert call_elsewhere(os.getpid) == first
    assert len({*call_elsewhere(hash, "a text"), hash("a text")}) == OTHERS + 1


def test_a_set_of_two_shows_in_nineteen_cases_of_twenty():
    here, there = orders(PAIRS), call_elsewhere(orders, PAIRS)
    found = sum(any(of[row] != order for of in there) for row, order in enumerate(here))
    assert found / len(PAIRS) >= 0.95


def test_one_that_ends_fails_its_call_alone():
    first = call_elsewhere(os.getpid)
    found = call_elsewhere(only_one_ends, first[2])
    assert found == ("there", "there", Failed("the interpreter ended", ""), "there", "there")
    again = call_elsewhere(os.getpid)
    assert again[2] not in first
    assert [again[at] == first[at] for at in range(OTHERS)] == [True, True, False, True, True]
    assert len({*call_elsewhere(hash, "a text"), hash("a text")}) == OTHERS + 1
