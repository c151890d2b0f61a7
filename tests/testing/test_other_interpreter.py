"""Other interpreters stand where this one does, hash otherwise, and are enough of them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from coview.testing.other_interpreter import OTHERS, Failed, call_elsewhere
from forked import Forked

PAIRS = [(f"left {number}", f"right {number}") for number in range(3000)]


def orders(pairs):
    """Which comes first in a set of each two."""
    return [next(iter({*pair})) == pair[0] for pair in pairs]


def only_one_ends(pid):
    if os.getpid() == pid:
        os._exit(1)
    return "there"


def loaded(modules):
    return [name for name in modules if name in sys.modules]


WITHOUT_TORCH = """
import sys
import numpy as np
from coview.testing import check_augmentation, check_dataset
from coview.testing.other_interpreter import call_elsewhere
from coview_audio.augment.gain import Gain
from coview_audio.sound import Sound
from coview_text.augment.random_deletion import RandomDeletion
from coview_text.datasets.folder import TextFolder
from test_other_interpreter import loaded

only = ["is_the_same_in_another_interpreter"]
check_augmentation(RandomDeletion, ["a few words, of which some go", "and another text"], parameters={"p": 0.5}, only=only)
check_augmentation(Gain, [Sound(np.ones(8, np.float32), 8), Sound(np.zeros(9, np.float32), 8)], only=only)
check_dataset(TextFolder, parameters={"root": sys.argv[1]}, splits=["train"], only=only)
modules = ["coview_text.augment.random_deletion", "coview_audio.augment.gain", "coview_text.datasets.folder", "torch"]
print(loaded(modules))
print(*call_elsewhere(loaded, modules), sep="\\n")
"""


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


def test_augmentations_and_data_sets_without_torch_are_called_without_torch(forks, tmp_path):
    """By a process of its own: the interpreters of this one may have called what needs torch."""
    for number in range(30):
        text = tmp_path / f"topic{number % 2}" / f"{number}.txt"
        text.parent.mkdir(exist_ok=True)
        text.write_text(f"a text that is number {number}")
    status, out, err = Forked(["python", "-c", WITHOUT_TORCH, str(tmp_path)], Path(__file__).parent).finish()
    assert status == 0, err
    called = ["coview_text.augment.random_deletion", "coview_audio.augment.gain", "coview_text.datasets.folder"]
    here, *there = out.splitlines()
    assert here == str([*called, "torch"])
    assert there == [str(called)] * OTHERS
