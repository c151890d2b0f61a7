"""What train and test have in common: against splits made to overlap, and against every pair looked at by a loop."""

from __future__ import annotations

import math

import numpy as np
import torch

import coview
from coview.evaluate import leaks
from coview.evaluate.embedding import Embedded
from coview.evaluate.leaks import NEAR, find_leaks


def embedded(x_ND, content=None, groups=None) -> Embedded:
    x_ND = torch.as_tensor(x_ND, dtype=torch.float32)
    groups_N = None if groups is None else torch.tensor(groups)
    split = coview.FeatureSplit(x_ND, torch.arange(len(x_ND)), groups_N=groups_N)
    return Embedded(split, (), None if content is None else torch.tensor(content))


def test_equal_values_are_counted_by_test_sample():
    x = np.random.default_rng(0).normal(size=(8, 5))
    found = find_leaks(embedded(x[:5], [7, 3, 9, 3, 1]), embedded(x[5:], [3, 3, 4]))
    assert (found.train, found.test, found.exact, found.near, found.groups) == (5, 3, 2, 0, None)
    assert found.examples == [(0, 1), (1, 1)]
    assert found
    assert str(found) == "of 3 test samples 2 are in train too"


def test_groups_are_counted_by_test_sample():
    x = np.random.default_rng(0).normal(size=(7, 5))
    found = find_leaks(embedded(x[:4], [1, 2, 3, 4], [10, 10, 11, 12]), embedded(x[4:], [5, 6, 7], [12, 13, 12]))
    assert found.groups == 2
    assert str(found) == "of 3 test samples 2 are of a group that is in train too"


def test_splits_apart_have_nothing_in_common():
    x = np.random.default_rng(0).normal(size=(60, 5))
    found = find_leaks(embedded(x[:40], range(40), [0] * 40), embedded(x[40:], range(40, 60), [1] * 20))
    assert not found
    assert str(found) == "of 20 test samples none was found in train"


def test_near_ones_are_those_that_a_loop_finds():
    generator = np.random.default_rng(0)
    train = generator.normal(size=(300, 200)) + 5
    # copies with noise whose strength passes through the threshold: 1 - cosine is about strength² / 2
    strength = np.geomspace(0.005, 0.3, 50)
    test = (train[:50] - train.mean(0)) * generator.uniform(0.5, 2, (50, 1)) + train.mean(0)
    test = test + strength[:, None] * np.std(test - train.mean(0), axis=1, keepdims=True) * generator.normal(
        size=(50, 200)
    )
    expected = {}
    for t, row in enumerate(test):
        cosines = []
        for other in train:
            a, b = row - train.mean(0), other - train.mean(0)
            cosines.append(sum(a * b) / math.sqrt(sum(a * a) * sum(b * b)))
        if max(cosines) >= NEAR:
            expected[t] = int(np.argmax(cosines))
    assert 15 < len(expected) < 45  # the threshold is passed
    found = find_leaks(embedded(train, range(300)), embedded(test, range(1000, 1050)))
    assert found.near == len(expected)
    assert found.exact == 0
    assert list(found.examples) == list(expected.items())[:5]


def test_an_exact_one_is_not_counted_as_a_near_one_too():
    x = np.random.default_rng(0).normal(size=(20, 5))
    found = find_leaks(embedded(x, range(20)), embedded(x[:3], [0, 1, 50]))
    assert (found.exact, found.near) == (2, 1)
    assert str(found) == "of 3 test samples 2 are in train too, 1 is nearly equal to one in train"


def test_empty_samples_are_no_leak():
    x = np.random.default_rng(0).normal(size=(20, 5))
    train, test = np.vstack([x, np.zeros((2, 5))]), np.zeros((3, 5))
    assert find_leaks(embedded(train), embedded(test)).near == 0
    assert find_leaks(embedded(np.full((4, 5), math.nan)), embedded(x)).near == 0


def test_without_hashes_it_says_that_it_does_not_know():
    x = np.random.default_rng(0).normal(size=(20, 5))
    found = find_leaks(embedded(x), embedded(x))
    assert found.exact is None
    assert found.near == 20


def test_of_a_large_test_split_some_are_examined(monkeypatch):
    monkeypatch.setattr(leaks, "EXAMINED", 10)
    x = np.random.default_rng(0).normal(size=(30, 5))
    found = find_leaks(embedded(x), embedded(x))
    assert (found.near, found.examined) == (10, 10)
    assert str(found) == "of 30 test samples 10 of the 10 examined are nearly equal to one in train"
