"""MTEB's procedure, written with scikit-learn as MTEB describes it, on vectors that it could have embedded."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from coview import Features, FeatureSplit, Rng
from coview.builtin.evaluators.mteb_classification import MTEBClassification


def embedded(n: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    y = generator.choice(classes, n, p=np.arange(1, classes + 1) / np.arange(1, classes + 1).sum())
    x = np.random.default_rng(9).standard_normal((classes, 24))[y] + 1.5 * generator.standard_normal((n, 24))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32), y


@pytest.mark.parametrize("each", [8, 16])
def test_it_is_what_mteb_finds(each: int) -> None:
    (x, y), (x_test, y_test) = embedded(600, 12, 0), embedded(400, 12, 1)
    scores, order = [], list(range(len(y)))
    for _ in range(10):
        np.random.RandomState(42).shuffle(order)
        seen: Counter[int] = Counter()
        taken = []
        for row in order:
            if seen[y[row]] < each:
                taken.append(row)
                seen[y[row]] += 1
        scores.append(LogisticRegression(max_iter=100, random_state=42).fit(x[taken], y[taken]).score(x_test, y_test))
    splits = {
        name: FeatureSplit(torch.from_numpy(part), torch.arange(len(part)), torch.from_numpy(labels))
        for name, part, labels in (("train", x, y), ("test", x_test, y_test))
    }
    assert min(Counter(y.tolist()).values()) < 16  # of such a class all are taken
    (result,) = MTEBClassification(samples_per_label=each)(Features(splits), Rng(random.randrange(99)))
    assert result.value == pytest.approx(np.mean(scores), abs=1e-10)
    assert result.protocol["draws"] == 10
    assert result.ci_low < result.value < result.ci_high
