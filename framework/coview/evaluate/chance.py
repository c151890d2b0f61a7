"""What a search finds by chance: the expected numbers where all orders of the gallery are equally likely."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import hypergeom


def chance_of_search(relevant_Q: np.ndarray, gallery: int, k: Sequence[int]) -> dict[str, float]:
    """The mean over queries of what is expected of recall at each k, mAP and MRR.

    Of N samples in a gallery of which M are right, none is among r with the probability (N - M over r) / (N over r).
    Recall is the rest of it, the reciprocal rank of the first right one follows from its differences, and the average
    precision is expected to be ((M - 1) (N - H) / (N - 1) + H) / N with H = 1 + 1/2 + ... + 1/N.

    Args:
        relevant_Q: How many samples of the gallery are right for each query, at least 1.
        gallery: How many samples there are.
        k: At which numbers of neighbours recall is wanted.

    Returns:
        ``recall@K`` for each k, ``map`` and ``mrr``.
    """
    counts, times = np.unique(relevant_Q, return_counts=True)
    weights = times / times.sum()
    rank_N = np.arange(1, gallery + 1)
    harmonic = float((1 / rank_N).sum())

    def mean(of_count: Callable[[int], float]) -> float:
        return float(sum(weight * of_count(int(count)) for count, weight in zip(counts, weights, strict=True)))

    def none_among(count: int, first: np.ndarray | int) -> np.ndarray:
        return np.asarray(hypergeom.pmf(0, gallery, count, first))

    def reciprocal_rank(count: int) -> float:
        later_N = none_among(count, rank_N)
        is_first_N = np.append(1.0, later_N[:-1]) - later_N
        return float((is_first_N / rank_N).sum())

    def average_precision(count: int) -> float:
        others = (count - 1) * (gallery - harmonic) / (gallery - 1) if gallery > 1 else 0.0
        return (others + harmonic) / gallery

    found = {f"recall@{at}": mean(lambda count, at=at: 1 - float(none_among(count, min(at, gallery)))) for at in k}  # type: ignore[misc]
    return {**found, "map": mean(average_precision), "mrr": mean(reciprocal_rank)}
