from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coview import CoviewError, Features, FeatureSplit, Rng
from coview.builtin.evaluators.knn import KNN
from coview.evaluate import neighbours
from coview.evaluate.neighbours import nearest, vote


def rows(count: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def features(train: torch.Tensor, train_labels: list[int], test: torch.Tensor, test_labels: list[int]) -> Features:
    return Features(
        {
            "train": FeatureSplit(train, torch.arange(len(train)), torch.tensor(train_labels)),
            "test": FeatureSplit(test, torch.arange(len(test)), torch.tensor(test_labels)),
        },
        classes=tuple("abcdefghij"),
    )


def naive_predictions(train: np.ndarray, labels: np.ndarray, test: np.ndarray, k: int, temperature: float) -> list[int]:
    """Sorts all training samples for each test sample and counts their votes one by one."""
    predictions = []
    for query in test:
        cosines = [float(query @ row / np.sqrt((query @ query) * (row @ row))) for row in train]
        votes: dict[int, float] = {}
        for index in sorted(range(len(train)), key=lambda i: -cosines[i])[:k]:
            label = int(labels[index])
            votes[label] = votes.get(label, 0.0) + np.exp(cosines[index] / temperature)
        predictions.append(max(sorted(votes), key=lambda label: votes[label]))
    return predictions


@pytest.mark.parametrize("bank", [1, 31, 32, 33, 700, 2049, 4200])
@pytest.mark.parametrize(("queries", "k"), [(1, 1), (5, 3), (600, 20), (17, 150)])
def test_neighbours_equal_a_full_sort(bank: int, queries: int, k: int) -> None:
    k = min(k, bank)
    queries_QD, bank_BD = rows(queries, 8, seed=1) * 3, rows(bank, 8) + 0.5
    cosines, found = nearest(queries_QD, bank_BD, k)
    q, b = (x.double() / x.double().norm(dim=1, keepdim=True) for x in (queries_QD, bank_BD))
    expected = (q @ b.T).sort(1, descending=True)
    torch.testing.assert_close(cosines.double(), expected.values[:, :k], atol=1e-6, rtol=0)
    torch.testing.assert_close(
        (q @ b.T).gather(1, found), expected.values[:, :k], atol=1e-6, rtol=0
    )  # the rows are those of the cosines, also where two are as good as equal
    assert all(len(set(row.tolist())) == k for row in found)


def test_narrow_tiles_give_the_same_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    queries_QD, bank_BD = rows(100, 6, seed=1), rows(3000, 6)
    cosines, found = nearest(queries_QD, bank_BD, 9)
    monkeypatch.setattr(neighbours, "SIMILARITIES", 1)
    monkeypatch.setattr(neighbours, "ROWS", 64)
    narrow_cosines, narrow_found = nearest(queries_QD, bank_BD, 9)
    torch.testing.assert_close(narrow_cosines, cosines)
    assert (narrow_found == found).float().mean() > 0.999


@given(
    bank=st.integers(1, 200),
    width=st.integers(1, 3),
    k=st.integers(1, 200),
    values=st.integers(1, 3),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_neighbours_with_ties_and_zero_rows(bank: int, width: int, k: int, values: int, seed: int) -> None:
    k = min(k, bank)
    generator = torch.Generator().manual_seed(seed)
    bank_BD, queries_QD = (
        torch.randint(-values, values + 1, (n, width), generator=generator).float() for n in (bank, 5)
    )
    cosines, found = nearest(queries_QD, bank_BD, k)
    unit_q, unit_b = (x / x.norm(dim=1, keepdim=True).clamp_min(1e-12) for x in (queries_QD, bank_BD))
    torch.testing.assert_close(cosines, (unit_q @ unit_b.T).sort(1, descending=True).values[:, :k])
    assert all(len(set(row.tolist())) == k for row in found)
    assert int(found.max()) < bank


@pytest.mark.parametrize("k", [1, 5, 40])
@pytest.mark.parametrize("temperature", [0.01, 0.07, 1.0])
def test_accuracy_equals_the_naive_loop(k: int, temperature: float) -> None:
    centres = rows(4, 6, seed=3)
    train_labels, test_labels = ([i % 4 for i in range(n)] for n in (60, 41))
    train, test = (
        centres[labels] + 1.2 * rows(len(labels), 6, seed=4 + len(labels)) for labels in (train_labels, test_labels)
    )
    (result,) = KNN(k=k, temperature=temperature)(features(train, train_labels, test, test_labels), Rng(0))
    expected = naive_predictions(train.double().numpy(), np.array(train_labels), test.double().numpy(), k, temperature)
    assert result.value == pytest.approx(np.mean(np.array(expected) == np.array(test_labels)))
    assert 0.3 < result.value < 1


def test_votes_do_not_overflow_at_a_low_temperature() -> None:
    cosines = torch.tensor([[1.0, 0.999, 0.999], [0.5, 0.49, 0.2]])
    labels = torch.tensor([[0, 1, 1], [2, 0, 0]])
    assert vote(cosines, labels, 0.001).tolist() == [0, 2]
    assert vote(cosines, labels, 1.0).tolist() == [1, 0]


def test_k_beyond_the_bank_is_clamped_and_said() -> None:
    data = features(rows(6, 3), [0, 1, 2] * 2, rows(4, 3, seed=1), [0, 1, 2, 0])
    one, two = KNN(k=20, labels_per_class=(1, "all"), draws=2)(data, Rng(0))
    assert (one.protocol["k"], one.protocol["k_used"]) == (20, 3)
    assert (two.protocol["k"], two.protocol["k_used"]) == (20, 6)
    assert one.n == two.n == 4


def test_results_are_the_same_again_and_say_what_defines_them() -> None:
    data = features(rows(60, 3), [i % 3 for i in range(60)], rows(30, 3, seed=1), [i % 3 for i in range(30)])
    knn = KNN(k=3, labels_per_class=(2, 5, "all"), draws=4)
    results = knn(data, Rng(7))
    assert results == knn(data, Rng(7))
    assert [r.protocol["labels_per_class"] for r in results] == [2, 5, "all"]
    assert [r.protocol["draws"] for r in results] == [4, 4, 1]
    assert all(r.ci_low <= r.value <= r.ci_high and r.split == "test" and r.metric == "accuracy" for r in results)
    assert len({r.protocol_hash for r in results}) == 3


def test_one_budget_may_be_given_bare() -> None:
    data = features(rows(20, 3), [0, 1] * 10, rows(4, 3, seed=1), [0, 1, 0, 1])
    assert KNN(labels_per_class=3)(data, Rng(0)) == KNN(labels_per_class=(3,))(data, Rng(0))


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_broken_features_are_an_error_that_names_the_split(split: str, value: float) -> None:
    data = features(rows(6, 3), [0, 1] * 3, rows(4, 3, seed=1), [0, 1, 0, 1])
    data[split].x_ND[2, 1] = value
    with pytest.raises(CoviewError, match=rf"1 of \d representations of the {split} split"):
        KNN()(data, Rng(0))


def test_one_class_is_an_error() -> None:
    data = features(rows(6, 3), [1] * 6, rows(4, 3, seed=1), [0, 1, 0, 1])
    with pytest.raises(CoviewError, match="1 class, a classifier needs at least 2"):
        KNN()(data, Rng(0))


@pytest.mark.gpu
def test_neighbours_on_a_gpu() -> None:
    queries_QD, bank_BD = rows(700, 16, seed=1), rows(5000, 16)
    cosines, _ = nearest(queries_QD, bank_BD, 20)
    on_gpu, found = nearest(queries_QD.cuda(), bank_BD.cuda(), 20)
    torch.testing.assert_close(on_gpu.cpu(), cosines)
    assert found.device.type == "cuda"
