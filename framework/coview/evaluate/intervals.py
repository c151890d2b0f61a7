"""95 % bootstrap intervals, of an accuracy and of what two columns say together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import stats

RESAMPLES = 10_000
METHOD = (
    f"95 % percentile bootstrap, {RESAMPLES} resamples of the test items and, where there are several, of the draws"
)
_AT_A_TIME = 500

PAIRED_RESAMPLES = 1000
PAIRED_METHOD = f"95 % percentile bootstrap, {PAIRED_RESAMPLES} resamples"


def accuracy_interval(hits_SN: np.ndarray, generator: np.random.Generator) -> tuple[float, float]:
    """The 2.5th and 97.5th percentile of the bootstrapped mean.  S draw of labels · N test item.

    One draw: the test items are resampled. Several: items and draws are resampled independently, since every draw
    is tested on the same items (the pigeonhole bootstrap, Owen 2007); of S draws S - 1 are taken, which makes the
    variance between draws unbiased (Rao and Wu 1988). Simulated with 400 items on which draws mostly agree, it covers
    92 to 98 % with 5 draws, the less the more the draws differ, and 87 to 98 % with 3. Where every hit or none is one,
    the interval has no width.

    Items that are hit by the same draws are interchangeable, so that a resample is a multinomial draw of how often
    each pattern of hits occurs, the exact equivalent of drawing N items one by one.

    Args:
        hits_SN: Whether each draw's classifier was right on each test item.
        generator: All the randomness.

    Returns:
        Lower and upper end.
    """
    S, N = hits_SN.shape
    patterns_PS, counts_P = np.unique(hits_SN.T, axis=0, return_counts=True)
    means = []
    for _ in range(0, RESAMPLES, _AT_A_TIME):
        times_RP = generator.multinomial(N, counts_P / N, size=_AT_A_TIME)
        accuracies_RS = times_RP @ patterns_PS.astype(np.float64) / N
        draws_RS = generator.multinomial(max(1, S - 1), np.full(S, 1 / S), size=_AT_A_TIME) / max(1, S - 1)
        means.append((accuracies_RS * draws_RS).sum(1))
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    return float(low), float(high)


def paired_interval(
    a_N: np.ndarray,
    b_N: np.ndarray,
    statistic: Callable[[np.ndarray, np.ndarray], float],
    generator: np.random.Generator,
) -> tuple[float, float]:
    """The 2.5th and 97.5th percentile of a statistic of two columns, whose rows are resampled together."""
    found = stats.bootstrap(
        (a_N, b_N),
        statistic,
        paired=True,
        vectorized=False,
        n_resamples=PAIRED_RESAMPLES,
        method="percentile",
        rng=generator,
    )
    low, high = found.confidence_interval
    return float(low), float(high)
