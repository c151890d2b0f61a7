"""Do clusters that know no labels agree with the classes?"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge
from scipy.optimize import linear_sum_assignment
from torch.nn.functional import normalize

from coview.data.rng import Rng
from coview.evaluate.features import Features
from coview.evaluate.result import Result
from coview.evaluating import check_classes, intervals, labelled_split


class Clustering:
    """k-means with as many clusters as classes, on test representations of length 1 (scikit-learn's).

    NMI and ARI compare clusters with classes; the accuracy is that of the best assignment of clusters to classes
    (Hungarian). Labels are seen by the comparison only. The number is the mean over several starts.

    Args:
        starts: Runs of k-means from other centres, at least 2, each the best of three initialisations.
    """

    splits = ("test",)
    labels: Literal["class"] = "class"

    def __init__(self, *, starts: Annotated[int, Ge(2)] = 5) -> None:
        self.starts = starts

    def __call__(self, features: Features, rng: Rng) -> list[Result]:
        """NMI, ARI and accuracy, with intervals over starts, and over groups where there are groups."""
        from sklearn.cluster import KMeans  # scikit-learn costs start-up time
        from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score  # the same

        x_ND, labels_N = labelled_split(features, "test")
        check_classes(labels_N)
        x, labels = normalize(x_ND).cpu().numpy(), labels_N.cpu().numpy()
        clusters = len(np.unique(labels))
        measures = {"nmi": normalized_mutual_info_score, "ari": adjusted_rand_score, "accuracy": matched_accuracy}
        starts = [KMeans(clusters, n_init=3, random_state=rng.seed32()).fit_predict(x) for _ in range(self.starts)]
        groups = intervals.groups_of(features["test"].groups_N)

        def measure(rows: np.ndarray) -> dict[str, float]:
            return {
                name: float(np.mean([of(labels[rows], assigned[rows]) for assigned in starts]))
                for name, of in measures.items()
            }

        over = "95 % t interval over starts"
        if groups is not None:
            over = f"{groups.method_of(intervals.MOST_BLOCKS)} of the test items, and over starts"
        protocol: dict[str, Any] = {
            "algorithm": "k-means, best of 3 initialisations",
            "clusters": clusters,
            "starts": self.starts,
            "interval": over,
        }
        of_groups = (
            intervals.jackknife_variances(len(labels), measure, rng.numpy, groups, intervals.MOST_BLOCKS)
            if groups is not None
            else {}
        )
        results = []
        for name, of in measures.items():
            values = np.array([float(of(labels, assigned)) for assigned in starts])
            parts = [of_groups[name][1]] if name in of_groups else []
            ends = intervals.t_interval(float(values.mean()), *parts, *intervals.draws_variance(values))
            results.append(_result(name, float(values.mean()), ends, len(labels), groups, protocol))
        return results


def matched_accuracy(labels_N: np.ndarray, assigned_N: np.ndarray) -> float:
    """The share of samples in the cluster that is assigned to their class, under the best assignment."""
    _, classes = np.unique(labels_N, return_inverse=True)
    counts = np.zeros((classes.max() + 1, assigned_N.max() + 1), dtype=np.int64)
    np.add.at(counts, (classes, assigned_N), 1)
    return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / len(labels_N))


def _result(
    name: str,
    mean: float,
    ends: tuple[float, float],
    n: int,
    groups: intervals.Groups | None,
    protocol: dict[str, Any],
) -> Result:
    lowest = -0.5 if name == "ari" else 0.0  # the adjusted Rand index is negative below chance (arXiv:2203.11574)
    count = None if groups is None else groups.count
    return Result(name, mean, *ends, n, "test", protocol, bounds=(lowest, 1.0), groups=count)
