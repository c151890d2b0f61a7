"""Few-shot episodes against scikit-learn's nearest centroid and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.neighbors import NearestCentroid

from coview import CoviewError, Features, FeatureSplit, Rng
from coview.builtin.evaluators.few_shot import FewShot


def features(x: torch.Tensor, labels: torch.Tensor) -> Features:
    return Features({"test": FeatureSplit(x, torch.arange(len(x)), labels)}, ("a", "b", "c", "d"))


def clouds(n: int = 160, noise: float = 1.0) -> Features:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % 4
    centres = 3 + torch.randn(4, 6, generator=generator)
    return features(centres[labels] + noise * torch.randn(n, 6, generator=generator), labels)


@pytest.mark.parametrize("similarity", ["cosine", "euclidean"])
def test_each_episode_is_scikit_learns_nearest_centroid(similarity: str) -> None:
    given, evaluator = clouds(), FewShot(ways=3, shots=(4, 2), queries=6, episodes=50, similarity=similarity)  # type: ignore[arg-type]
    x, labels = given["test"].x_ND.double().numpy(), given["test"].labels_N.numpy()
    if similarity == "cosine":
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
    episodes, _ = evaluator._draw(labels, Rng(5).numpy)
    results = evaluator(given, Rng(5))
    assert [result.protocol["labels_per_class"] for result in results] == [4, 2]
    for shots, result in zip((4, 2), results, strict=True):
        accuracies = []
        for rows in episodes.numpy():
            support, queries = rows[:, :shots].ravel(), rows[:, 4:].ravel()
            peer = NearestCentroid().fit(x[support], labels[support])
            if similarity == "cosine":  # on the sphere the nearest direction is the nearest point
                peer.centroids_ /= np.linalg.norm(peer.centroids_, axis=1, keepdims=True)
            accuracies.append(peer.score(x[queries], labels[queries]))
        assert result.value == pytest.approx(np.mean(accuracies))
        low, high = stats.t.interval(0.95, 49, np.mean(accuracies), stats.sem(accuracies))
        assert (result.ci_low, result.ci_high) == pytest.approx((low, high))


def test_an_episode_repeats_no_sample_and_no_class() -> None:
    given = clouds()
    labels = given["test"].labels_N.numpy()
    episodes, n = FewShot(ways=4, shots=(1, 5), queries=10, episodes=40)._draw(labels, Rng(0).numpy)
    assert n == 160
    for rows in episodes.numpy():
        assert len(set(rows.ravel())) == rows.size == 4 * 15
        of_class = labels[rows]
        assert (of_class == of_class[:, :1]).all()
        assert len(set(of_class[:, 0])) == 4


def test_separate_classes_are_told_apart_and_equal_ones_are_guessed() -> None:
    labels = torch.arange(200) % 4
    (sure,) = FewShot(ways=4, shots=(1,), episodes=20)(features(torch.eye(4)[labels], labels), Rng(0))
    assert (sure.value, sure.ci_low, sure.ci_high) == (1.0, 1.0, 1.0)
    noise = torch.randn(200, 8, generator=torch.Generator().manual_seed(1))
    (guessed,) = FewShot(ways=4, shots=(1,), queries=15)(features(noise, labels), Rng(0))
    assert guessed.value == pytest.approx(1 / 4, abs=0.02)


def test_every_kind_of_features_sees_the_same_episodes() -> None:
    given, evaluator = clouds(), FewShot(ways=2, shots=(1,), episodes=30)
    split = given["test"]
    turned = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(2))).Q
    first, second = (evaluator(each, Rng(1)) for each in (given, features(7 * split.x_ND @ turned, split.labels_N)))
    assert first[0].value == pytest.approx(second[0].value)
    assert first[0].protocol_hash == second[0].protocol_hash


def test_too_few_classes_or_samples_are_named() -> None:
    labels = torch.tensor([0] * 30 + [1] * 19 + [2] * 20)
    given = features(torch.randn(69, 3), labels)
    with pytest.raises(CoviewError, match=r"takes 3 classes with 20 samples each .*, and 2 of the 3 classes"):
        FewShot(ways=3)(given, Rng(0))
    assert {result.n for result in FewShot(ways=2)(given, Rng(0))} == {50}
    with pytest.raises(ValueError, match="each number once"):
        FewShot(shots=(1, 1))
