import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression as Peer
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

from coview import Features, FeatureSplit, Rng
from coview.builtin.evaluators.knn import KNN
from coview.builtin.evaluators.linear_probe import STRENGTHS, LinearProbe
from coview.builtin.evaluators.logistic import LogisticRegression
from coview.evaluate.neighbours import nearest


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = torch.from_numpy(x[order]).float(), torch.from_numpy(y[order]).long()
    bounds = {"train": (0, 1000), "validation": (1000, 1200), "test": (1200, 1797)}
    splits = {n: FeatureSplit(x[a:b], torch.arange(a, b), y[a:b]) for n, (a, b) in bounds.items()}
    return Features(splits, tuple(map(str, range(10))))


@pytest.mark.parametrize("l2", [1e-1, 1e-3, 1e-5])
def test_the_objective_is_scikit_learns_minimum(digits, l2):
    split = digits["train"]
    x = (split.x_ND - split.x_ND.mean(0)) / (split.x_ND.std(0) + 1)
    peer = Peer(C=1 / (l2 * len(x)), max_iter=10_000, tol=1e-8).fit(x.double().numpy(), split.labels_N.numpy())

    def objective(w_DC, b_C):
        logits = x.double() @ w_DC + b_C
        return float(torch.nn.functional.cross_entropy(logits, split.labels_N) + l2 / 2 * (w_DC**2).sum())

    found = LogisticRegression(x, split.labels_N, 10).fit(l2)
    minimum = objective(torch.from_numpy(peer.coef_.T), torch.from_numpy(peer.intercept_))
    assert objective(found.w_DC.double(), found.b_C.double()) <= minimum * 1.001


def test_it_is_as_good_as_scikit_learns_and_says_how_it_chose(digits):
    (result,) = LinearProbe(standardise=True)(digits, Rng(0))
    rest = [digits["train"], digits["validation"]]
    x = np.concatenate([part.x_ND.numpy() for part in rest])
    y = np.concatenate([part.labels_N.numpy() for part in rest])
    scale = np.where(x.std(0) > 0, x.std(0), np.inf)
    (l2,) = result.protocol["chosen"]["l2"]
    peer = Peer(C=1 / (l2 * len(x)), max_iter=5000).fit((x - x.mean(0)) / scale, y)
    expected = peer.score((digits["test"].x_ND.numpy() - x.mean(0)) / scale, digits["test"].labels_N.numpy())
    assert result.value == pytest.approx(expected, abs=2 / 597)
    assert result.ci_low < result.value < result.ci_high
    assert result.n == 597


@pytest.mark.slow
def test_budgets_are_ordered_drawn_and_deterministic(digits):
    probe = LinearProbe(labels_per_class=(1, 10, "all"), draws=3)
    first, again = probe(digits, Rng(4)), probe(digits, Rng(4))
    assert first == again
    values = [result.value for result in first]
    assert values == sorted(values)
    assert [result.protocol["labels_per_class"] for result in first] == [1, 10, "all"]
    assert [result.protocol["draws"] for result in first] == [3, 3, 1]


@pytest.mark.slow
def test_a_budget_uses_neither_validation_labels_nor_test_labels(digits):
    probe = LinearProbe(labels_per_class=(5,), draws=2)
    shuffled = dict(digits.splits)
    part = shuffled["validation"]
    shuffled["validation"] = FeatureSplit(part.x_ND, part.ids_N, part.labels_N.flip(0))
    assert probe(Features(shuffled, digits.classes), Rng(1)) == probe(digits, Rng(1))


def test_nearest_neighbours_equal_a_plain_loop(digits):
    bank, queries = digits["train"].x_ND, digits["test"].x_ND[:50]
    cosines, rows = nearest(queries, bank, 7)
    unit = [torch.nn.functional.normalize(part.double(), dim=1) for part in (queries, bank)]
    expected = (unit[0] @ unit[1].T).topk(7)
    assert torch.allclose(cosines.double(), expected.values, atol=1e-5)
    assert (rows == expected.indices).float().mean() > 0.99


def test_knn_equals_lightlys(digits):
    from lightly.utils.benchmarking import knn_predict

    (result,) = KNN(k=20, temperature=0.1)(digits, Rng(0))
    bank = torch.nn.functional.normalize(digits["train"].x_ND, dim=1)
    queries = torch.nn.functional.normalize(digits["test"].x_ND, dim=1)
    peer = knn_predict(queries, bank.T, digits["train"].labels_N, 10, knn_k=20, knn_t=0.1)[:, 0]
    assert result.value == pytest.approx(float((peer == digits["test"].labels_N).float().mean()), abs=1e-3)


def plain(x: np.ndarray, y: np.ndarray, groups: np.ndarray | None = None) -> FeatureSplit:
    groups_N = None if groups is None else torch.from_numpy(groups)
    return FeatureSplit(torch.from_numpy(x).float(), torch.arange(len(x)), torch.from_numpy(y), groups_N=groups_N)


@pytest.mark.parametrize("data", [load_digits, load_breast_cancer])  # ten classes, and two
@pytest.mark.parametrize("c", [1.0, 0.01])
def test_a_fixed_c_on_features_as_they_are_is_scikit_learns(data, c):
    x, y = data(return_X_y=True)
    x = x / x.max(0).clip(1)
    splits = {"train": plain(x[::2], y[::2]), "test": plain(x[1::2], y[1::2])}
    (result,) = LinearProbe(standardise=False, c=c)(Features(splits), Rng(0))
    peer = Peer(C=c, max_iter=10_000, tol=1e-8).fit(x[::2], y[::2])
    assert result.value == pytest.approx(peer.score(x[1::2], y[1::2]), abs=1e-9)
    assert result.protocol["c"] == c


def of_speakers(speakers=6, each=60, seed=0):
    """Sounds of ten words: a speaker's own offset on half of the features, much larger than what tells the words."""
    generator = np.random.default_rng(seed)
    y = np.tile(np.arange(10), speakers * each // 10)
    groups = np.repeat(np.arange(speakers), each)
    words, voices = generator.standard_normal((10, 20)), 8 * generator.standard_normal((speakers, 20))
    x = words[y] + voices[groups] * (np.arange(20) < 10) + 0.8 * generator.standard_normal((len(y), 20))
    return x, y, groups


def test_the_penalty_is_chosen_over_folds_of_groups_as_scikit_learn_would():
    x, y, groups = of_speakers()
    rows = {name: np.isin(groups, of) for name, of in (("train", (0, 2, 3)), ("validation", (1,)), ("test", (4, 5)))}
    splits = {name: plain(x[part], y[part], groups[part]) for name, part in rows.items()}
    (result,) = LinearProbe(standardise=True)(Features(splits, carved=True), Rng(0))
    both = np.concatenate([np.flatnonzero(rows[name]) for name in ("train", "validation")])
    scores = []
    for l2 in STRENGTHS:  # four speakers: each judges once
        of_fold = []
        for fitted, judged in GroupKFold(4).split(x[both], y[both], groups[both]):
            scale = StandardScaler().fit(x[both][fitted])
            peer = Peer(C=1 / (l2 * len(fitted)), max_iter=5000, tol=1e-6).fit(
                scale.transform(x[both][fitted]), y[both][fitted]
            )
            of_fold.append(peer.score(scale.transform(x[both][judged]), y[both][judged]))
        scores.append(np.mean(of_fold))
    assert result.protocol["chosen"]["l2"] == [STRENGTHS[int(np.argmax(np.round(scores, 9)))]]
    assert "4 folds of train, no group in two of them" in result.protocol["l2_by"]
    assert result.groups == 2


def test_the_scale_is_chosen_by_the_same_folds():
    generator = np.random.default_rng(0)
    y = generator.integers(2, size=600)
    x = np.where(np.arange(50) < 1, 5 * (2 * y - 1)[:, None], 0) + generator.standard_normal((600, 50)) * np.where(
        np.arange(50) < 1, 4, 0.01
    )
    splits = {"train": plain(x[:60], y[:60]), "validation": plain(x[60:70], y[60:70]), "test": plain(x[70:], y[70:])}
    results = {s: LinearProbe(standardise=s)(Features(splits, carved=True), Rng(0))[0] for s in (True, False, "choose")}
    assert (
        results[False].value > results[True].value + 0.02
    )  # noise in units of its own spread is as large as what tells
    assert results["choose"].value == results[False].value
    assert results["choose"].protocol["chosen"]["standardise"] == [False]


def test_several_c_need_labels_to_choose_by():
    with pytest.raises(ValueError, match="c has several values"):
        LinearProbe(c=(0.1, 1.0), labels_per_class=(10,))
