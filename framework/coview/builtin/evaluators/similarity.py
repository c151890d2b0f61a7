"""Does the cosine of two samples follow what people say of their similarity?"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from scipy import stats
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor
from torch.nn.functional import normalize

from coview.data.rng import Rng
from coview.errors import CoviewError
from coview.evaluate.evaluator import KnownData
from coview.evaluate.features import Features
from coview.evaluate.result import Result
from coview.evaluating import intervals

FEWEST = 3
"""Pairs that a correlation is taken of, at least."""


class Similarity:
    """Correlation of the cosines of judged pairs with the judgements (SimCSE, arXiv:2104.08821, section 6.1).

    Spearman's of all pairs of the split together, which is SimCSE's "all" setting, and Pearson's beside it. Nothing is
    fitted and nothing is chosen. The data has to have ``pairs``.
    """

    splits = ("test",)
    labels: Literal["pairs"] = "pairs"

    def check(self, data: KnownData, /) -> None:
        """Refuses fewer than three pairs."""
        if data.pairs.get("test", 0) < FEWEST:
            raise CoviewError(
                f"the test split has {data.pairs.get('test', 0)} judged pairs, at least {FEWEST} are needed"
            )

    def __call__(self, features: Features, rng: Rng) -> list[Result]:
        """Both correlations, with intervals over pairs.

        Raises:
            CoviewError: If there are fewer than three pairs, or all cosines or all judgements are equal.
        """
        split = features["test"]
        if split.pairs_P2 is None or split.pair_scores_P is None or len(split.pairs_P2) < FEWEST:
            raise CoviewError("the test split has fewer than three judged pairs")
        x_ND = normalize(split.x_ND.double())
        first, second = split.pairs_P2.to(x_ND.device).T
        cosine_P = (x_ND[first] * x_ND[second]).sum(1).cpu().numpy()
        score_P = split.pair_scores_P.cpu().numpy()
        for what, values in (("cosines", cosine_P), ("judgements", score_P)):
            if np.ptp(values) == 0 or not np.isfinite(values).all():
                raise CoviewError(f"the {what} of the pairs are all equal, or not finite: no correlation is defined")
        groups = _linked(split.pairs_P2.cpu().numpy(), split.groups_N)
        most = intervals.MOST_BLOCKS
        protocol = {
            "similarity": "cosine",
            "pairs": len(score_P),
            "setting": "all pairs together",
            "interval": f"{intervals.PAIRED_METHOD if groups is None else groups.method_of(most)} of pairs",
        }
        results = []
        for name, correlation in (("spearman", _spearman), ("pearson", _pearson)):
            value = correlation(cosine_P, score_P)
            ends = intervals.paired_interval(cosine_P, score_P, correlation, rng.numpy, groups)
            low, high = intervals.covering(value, ends)
            n, count = len(score_P), None if groups is None else groups.count
            results.append(Result(name, value, low, high, n, "test", protocol, bounds=(-1.0, 1.0), groups=count))
        return results


def _linked(pairs_P2: np.ndarray, groups_N: Tensor | None) -> intervals.Groups | None:
    """The groups of pairs: two are together where a chain of pairs leads from a group of one to one of the other."""
    if groups_N is None:
        return None
    _, of_N = np.unique(groups_N.cpu().numpy(), return_inverse=True)
    first_P, second_P = of_N[pairs_P2].T
    size = int(of_N.max()) + 1
    links = coo_array((np.ones(len(first_P)), (first_P, second_P)), shape=(size, size))
    return intervals.groups_of(connected_components(links, directed=False)[1][first_P])


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    return float(stats.spearmanr(a, b).statistic) if _varies(a, b) else math.nan


def _pearson(a: np.ndarray, b: np.ndarray) -> float:
    return float(stats.pearsonr(a, b).statistic) if _varies(a, b) else math.nan


def _varies(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether a correlation is defined: without one of few groups it may not be."""
    return bool(np.ptp(a) > 0 and np.ptp(b) > 0)
