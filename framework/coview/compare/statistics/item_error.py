"""What test items alone make a number vary by: a spread over seeds of less is chance, and makes nothing certain."""

from __future__ import annotations

import numpy as np

from coview.compare.statistics.scores import Scores

IMPLAUSIBLE = 0.1
"""A variance between seeds of less than this part of what the test items make it is said."""


def least_variances(scores: Scores) -> tuple[np.ndarray, list[str]]:
    """What the variance between seeds is at least, for each variant, and where that says more than the seeds.

    Runs of two seeds differ on single test items: so far as these change by themselves, the variance of their mean is
    known from how often each changes, over many items and not over a few seeds. Where no item changes, where numbers of
    single items were not kept and the seeds are tied, it is that of a mean of as many items, with one hit and one miss
    more than there were (Laplace). 0 where neither is known.
    """
    there_VS = np.isfinite(scores.value_VS)
    floor_V: np.ndarray = np.zeros(len(there_VS))
    implausible = []
    for v, there_S in enumerate(there_VS):
        value_S = scores.value_VS[v, there_S]
        if len(value_S) < 2:
            continue
        variance = float(value_S.var(ddof=1))
        if scores.items_VSN is not None:
            items_SN = scores.items_VSN[v, there_S].astype(np.float64)
            floor_V[v] = items_SN.var(0, ddof=1).mean() / items_SN.shape[1]
        if not floor_V[v] and variance < 1e-16 and tuple(scores.bounds) == (0.0, 1.0) and scores.n:
            share = (float(value_S.mean()) * scores.n + 1) / (scores.n + 2)
            floor_V[v] = len(value_S) * share * (1 - share) / scores.n  # which more seeds do not average out
        if variance < IMPLAUSIBLE * floor_V[v]:
            implausible.append(scores.variants[v])
    if not implausible:
        return floor_V, []
    return floor_V, [
        f"The seeds of {', '.join(implausible)} spread less than their test items allow: they are taken to spread as "
        "far as test items alone make them."
    ]
