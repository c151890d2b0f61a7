"""Retrieval, clustering and similarity against scikit-learn, torchmetrics, scipy and closed forms."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr, spearmanr, t
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, average_precision_score, normalized_mutual_info_score

import coview
from coview.builtin.evaluators.clustering import Clustering, matched_accuracy
from coview.builtin.evaluators.few_shot import FewShot
from coview.builtin.evaluators.geometry import Geometry
from coview.builtin.evaluators.retrieval import Retrieval
from coview.builtin.evaluators.similarity import Similarity
from coview.evaluate.embedding import embed_raw


def features(n=60, classes=4, noise=1.0, **more):
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % classes
    x = torch.randn(classes, 8, generator=generator)[labels] + noise * torch.randn(n, 8, generator=generator)
    split = coview.FeatureSplit(x, torch.arange(n), labels, **more)
    return coview.Features({"test": split}, tuple(map(str, range(classes))))


def unit(x):
    return (x / x.norm(dim=1, keepdim=True)).numpy()


def test_retrieval_is_scikit_learns_average_precision_and_a_count_by_hand():
    given = features()
    x, labels = unit(given["test"].x_ND), given["test"].labels_N.numpy()
    found = {result.metric: result for result in Retrieval(k=(1, 3))(given, coview.Rng(0))}
    precision, reciprocal, at_1, at_3 = [], [], [], []
    for query in range(len(x)):
        others = [i for i in range(len(x)) if i != query]
        cosines = x[others] @ x[query]
        relevant = labels[others] == labels[query]
        precision.append(average_precision_score(relevant, cosines))
        rank = 1 + int(np.flatnonzero(relevant[np.argsort(-cosines)])[0])
        reciprocal.append(1 / rank)
        at_1.append(rank <= 1)
        at_3.append(rank <= 3)
    expected = {"map": precision, "mrr": reciprocal, "recall@1": at_1, "recall@3": at_3}
    assert {name: result.value for name, result in found.items()} == pytest.approx(
        {name: np.mean(values) for name, values in expected.items()}, abs=1e-6
    )
    assert np.allclose(found["map"].per_item, precision, atol=1e-6)
    assert all(result.ci_low <= result.value <= result.ci_high for result in found.values())


def test_retrieval_leaves_out_who_is_alone_in_its_class():
    x = torch.eye(5)[:, :4] + 0.1
    split = coview.FeatureSplit(x, torch.arange(5), torch.tensor([0, 0, 1, 1, 2]))
    (found, *_) = Retrieval(k=(1,))(coview.Features({"test": split}, ("a", "b", "c")), coview.Rng(0))
    assert found.n == 4
    alone = coview.FeatureSplit(x[:3], torch.arange(3), torch.tensor([0, 1, 2]))
    with pytest.raises(coview.CoviewError, match="another one of its class"):
        Retrieval()(coview.Features({"test": alone}, ("a", "b", "c")), coview.Rng(0))


def test_clustering_is_scikit_learns():
    given, rng = features(noise=0.7), coview.Rng(3)
    found = {result.metric: result.value for result in Clustering(starts=2)(given, rng)}
    again, x, labels = coview.Rng(3), unit(given["test"].x_ND), given["test"].labels_N.numpy()
    assigned = [KMeans(4, n_init=3, random_state=again.seed32()).fit_predict(x) for _ in range(2)]
    assert found["nmi"] == pytest.approx(np.mean([normalized_mutual_info_score(labels, each) for each in assigned]))
    assert found["ari"] == pytest.approx(np.mean([adjusted_rand_score(labels, each) for each in assigned]))
    by_hand = [max(np.mean(np.array(p)[each] == labels) for p in itertools.permutations(range(4))) for each in assigned]
    assert found["accuracy"] == pytest.approx(np.mean(by_hand))


def test_names_of_clusters_do_not_matter():
    assert matched_accuracy(np.array([5, 5, 9, 9]), np.array([1, 1, 0, 0])) == 1.0
    assert matched_accuracy(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 0])) == 0.5


def test_similarity_is_scipys():
    generator = np.random.default_rng(0)
    pairs = torch.from_numpy(generator.integers(0, 60, (40, 2)))
    scores = torch.from_numpy(generator.normal(size=40))
    given = features(pairs_P2=pairs, pair_scores_P=scores)
    x = unit(given["test"].x_ND.double())
    cosines = [float(x[a] @ x[b]) for a, b in pairs.tolist()]
    spearman, pearson = Similarity()(given, coview.Rng(0))
    assert (spearman.metric, spearman.value) == ("spearman", pytest.approx(spearmanr(cosines, scores).statistic))
    assert (pearson.metric, pearson.value) == ("pearson", pytest.approx(pearsonr(cosines, scores).statistic))
    assert spearman.ci_low < spearman.value < spearman.ci_high
    assert spearman.n == 40


def test_pairs_without_any_spread_are_a_message():
    given = features(pairs_P2=torch.tensor([[0, 1], [1, 2], [2, 3]]), pair_scores_P=torch.ones(3).double())
    with pytest.raises(coview.CoviewError, match="judgements of the pairs are all equal"):
        Similarity()(given, coview.Rng(0))
    with pytest.raises(coview.CoviewError, match="fewer than three judged pairs"):
        Similarity()(features(), coview.Rng(0))


def test_in_a_run(call, write_recipe, small_recipe, tmp_path):
    more = '\n[[evaluate]]\nuse = "retrieval"\n\n[[evaluate]]\nuse = "clustering"\n\n[[evaluate]]\nuse = "similarity"\n'
    done = call("run", write_recipe(small_recipe + more))
    assert done.status == 0, done.err
    assert "similarity is left out: the data has no judged pairs" in done.err
    (run,) = (tmp_path / "runs" / "small").iterdir()
    rows = json.loads((run / "results.json").read_text())["results"]
    assert {row["metric"] for row in rows if row["evaluator"] == "retrieval"} == {
        "recall@1", "recall@5", "recall@10", "map", "mrr",
    }  # fmt: skip
    assert {row["kind"] for row in rows if row["evaluator"] == "clustering"} == {"pretrained", "untrained", "raw"}


class Judged:
    """Ten numbers, of which the third cannot be read, and judged pairs of them."""

    classes = None
    pairs = coview.Pairs([0, 2, 3, 9], [1, 5, 4, 0], [0.1, 0.2, 0.3, 0.4])

    def __len__(self):
        return 200

    def __getitem__(self, index):
        if index == 2:
            raise coview.SampleError("number 2", "lost")
        return coview.Sample({"number": index}, id=index)


def test_pairs_follow_the_rows_that_could_be_read():
    found = embed_raw(Judged(), "test", "number", lambda values: np.array(values)[:, None], workers=0).features
    assert found.pairs_P2.tolist() == [[0, 1], [2, 3], [8, 0]]
    assert found.pair_scores_P.tolist() == [0.1, 0.3, 0.4]
    assert found.x_ND[found.pairs_P2[1], 0].tolist() == [3, 4]


GROUPED = np.random.default_rng(1).permutation(np.repeat([7, 3, 5], 20))
"""The speaker of each of sixty samples."""


@pytest.mark.parametrize(
    ("evaluator", "metric"),
    [(Clustering(starts=2), "nmi"), (Retrieval(k=(1,)), "mrr"), (Geometry(), "spread"), (Similarity(), "spearman"),
     (FewShot(ways=3, shots=(1,), queries=4, episodes=300), "accuracy")],
)  # fmt: skip
def test_intervals_leave_out_whole_groups(evaluator, metric):
    pairs = torch.tensor([(a, b) for a, b in itertools.combinations(range(60), 2) if GROUPED[a] == GROUPED[b]])
    more = {"pairs_P2": pairs, "pair_scores_P": torch.rand(len(pairs), generator=torch.Generator().manual_seed(0))}
    plain = {result.metric: result for result in evaluator(features(noise=0.7, **more), coview.Rng(0))}[metric]
    given = features(noise=0.7, **more, groups_N=torch.from_numpy(GROUPED))
    found = {result.metric: result for result in evaluator(given, coview.Rng(0))}[metric]
    assert found.value == plain.value
    assert found.groups == 3
    assert plain.groups is None
    assert "2 degrees of freedom, by a jackknife of the 3 groups" in found.protocol["interval"]
    assert found.ci_low <= found.value <= found.ci_high


def test_the_groups_of_a_mean_over_queries_are_a_loops():
    given = features(noise=0.7, groups_N=torch.from_numpy(GROUPED))
    (found, *_) = (result for result in Retrieval(k=(1,))(given, coview.Rng(0)) if result.metric == "mrr")
    without = [found.per_item[group != GROUPED].mean(dtype=float) for group in np.unique(GROUPED)]
    error = np.sqrt(2 / 3 * ((without - np.mean(without)) ** 2).sum())
    assert found.ci_high - found.value == pytest.approx(t.ppf(0.975, 2) * error, rel=1e-5)


def test_pairs_across_groups_belong_together_and_all_linked_are_an_interval_over_pairs():
    pairs = torch.tensor([(0, 1), (1, 2), (3, 4), (5, 6), (5, 7)])
    groups = torch.tensor([0, 0, 1, 2, 3, 4, 4, 4])
    more = {"pairs_P2": pairs, "pair_scores_P": torch.arange(5).double(), "groups_N": groups}
    (found, *_) = Similarity()(features(n=8, **more), coview.Rng(0))
    assert found.groups == 3  # 0 and 1 by a pair, 2 and 3 by a pair, and 4
    linked = {**more, "pairs_P2": torch.tensor([(0, 2), (2, 3), (3, 4), (4, 5), (5, 7)])}
    (found, *_) = Similarity()(features(n=8, **linked), coview.Rng(0))
    assert found.groups is None
    assert found.protocol["interval"].endswith("resamples of pairs")
