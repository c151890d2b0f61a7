"""What a search finds by chance, against every order of a small gallery, and against draws of a large one."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from coview.evaluate.chance import chance_of_search


def measured(right_N: np.ndarray, k) -> dict[str, float]:
    """Of one order of the gallery, whether each is right."""
    first = 1 + int(np.argmax(right_N))
    found = {f"recall@{at}": float(first <= at) for at in k}
    return {**found, "map": average_precision_score(right_N, -np.arange(len(right_N))), "mrr": 1 / first}


@pytest.mark.parametrize(("gallery", "relevant"), [(5, 1), (5, 2), (5, 5), (6, 3), (2, 1)])
def test_it_is_the_mean_over_every_order(gallery, relevant):
    k = (1, 3, 10)
    orders = [
        measured(np.array(order), k) for order in permutations([True] * relevant + [False] * (gallery - relevant))
    ]
    expected = {name: np.mean([order[name] for order in orders]) for name in orders[0]}
    assert chance_of_search(np.array([relevant]), gallery, k) == pytest.approx(expected, abs=1e-12)


def test_queries_count_alike():
    both = chance_of_search(np.array([1, 1, 4]), 20, (5,))
    one, four = (chance_of_search(np.array([count]), 20, (5,)) for count in (1, 4))
    assert both == pytest.approx({name: (2 * one[name] + four[name]) / 3 for name in one})


def test_a_large_gallery_is_as_drawn():
    draws, gallery, relevant = 4000, 2000, 7
    rng = np.random.default_rng(0)
    places = rng.permuted(np.tile(np.arange(gallery), (draws, 1)), axis=1)[:, :relevant]
    rank_DR = 1 + np.sort(places, axis=1)
    drawn = {
        "recall@10": (rank_DR[:, 0] <= 10).astype(float),
        "map": (np.arange(1, relevant + 1) / rank_DR).mean(1),
        "mrr": 1 / rank_DR[:, 0],
    }
    for draw in range(20):
        one = measured(np.isin(np.arange(1, gallery + 1), rank_DR[draw]), (10,))
        assert one == pytest.approx({name: values[draw] for name, values in drawn.items()})
    expected = {name: values.mean() for name, values in drawn.items()}
    error = {name: values.std() / np.sqrt(draws) for name, values in drawn.items()}
    found = chance_of_search(np.array([7]), 2000, (10,))
    assert all(abs(found[name] - expected[name]) < 4 * error[name] for name in expected)


def test_a_gallery_of_one_is_always_right():
    assert chance_of_search(np.array([1]), 1, (1, 5)) == {"recall@1": 1, "recall@5": 1, "map": 1, "mrr": 1}
