"""Do clusters that know no labels agree with the classes?"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge
from scipy import stats
from scipy.optimize import linear_sum_assignment
from torch.nn.functional import normalize

from coview.data.rng import Rng
from coview.evaluate.features import Features
from coview.evaluate.labelled import check_classes, labelled_split
from coview.evaluate.result import Result


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
        """NMI, ARI and accuracy, with intervals over starts."""
        from sklearn.cluster import KMeans  # scikit-learn costs start-up time
        from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score  # the same

        x_ND, labels_N = labelled_split(features, "test")
        check_classes(labels_N)
        x, labels = normalize(x_ND).cpu().numpy(), labels_N.cpu().numpy()
        clusters = len(np.unique(labels))
        found: dict[str, list[float]] = {"nmi": [], "ari": [], "accuracy": []}
        for _ in range(self.starts):
            assigned = KMeans(clusters, n_init=3, random_state=rng.seed32()).fit_predict(x)
            found["nmi"].append(float(normalized_mutual_info_score(labels, assigned)))
            found["ari"].append(float(adjusted_rand_score(labels, assigned)))
            found["accuracy"].append(matched_accuracy(labels, assigned))
        protocol: dict[str, Any] = {
            "algorithm": "k-means, best of 3 initialisations",
            "clusters": clusters,
            "starts": self.starts,
            "interval": "95 % t interval over starts",
        }
        return [_result(name, values, len(labels), protocol) for name, values in found.items()]


def matched_accuracy(labels_N: np.ndarray, assigned_N: np.ndarray) -> float:
    """The share of samples in the cluster that is assigned to their class, under the best assignment."""
    _, classes = np.unique(labels_N, return_inverse=True)
    counts = np.zeros((classes.max() + 1, assigned_N.max() + 1), dtype=np.int64)
    np.add.at(counts, (classes, assigned_N), 1)
    return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / len(labels_N))


def _result(name: str, values: list[float], n: int, protocol: dict[str, Any]) -> Result:
    mean, half = float(np.mean(values)), 0.0
    if np.ptp(values) > 0:
        half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    lowest = -0.5 if name == "ari" else 0.0  # the adjusted Rand index is negative below chance (arXiv:2203.11574)
    return Result(name, mean, mean - half, mean + half, n, "test", protocol, bounds=(lowest, 1.0))
