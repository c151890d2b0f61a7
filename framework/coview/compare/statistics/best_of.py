"""How far the mean of the best of several variants may be off: it is the best for what chance has added, too."""

from __future__ import annotations

import numpy as np
from scipy import stats

from coview.compare.statistics.pair import ALPHA
from coview.compare.statistics.spreads import draw_spreads, share_seeds

_FEWEST = 3
"""So many variants and more learn their spreads from each other."""


def half_widths(value_VS: np.ndarray) -> np.ndarray | None:
    """Half the 95 % interval of each variant's mean, for whichever has the best mean.  V variant · S seed

    A mean is off by a part of its own, and by one that all variants share, the effects of the seeds. Both are drawn
    from the model's posterior, as those of pairs are; what is of the seeds has no more degrees of freedom than these.
    The best variant is mostly one that chance has raised. So the largest overestimate of all variants is drawn, each in
    units of its own 95 % quantile, and 97.5 % of these are within the interval: so each end errs in at most 2.5 %.

    Args:
        value_VS: Numbers, or their differences to a control; NaN where a cell is missing. Every variant has one.

    Returns:
        None where the model cannot tell: fewer than three variants, or too few seeds in common.
    """
    there_VS = np.isfinite(value_VS)
    free = int(there_VS.sum()) - len(value_VS) - (int(there_VS.any(0).sum()) - 1)
    if len(value_VS) < _FEWEST or free < 1 or there_VS.any(0).sum() < 2 or not share_seeds(there_VS):
        return None
    half_V: np.ndarray = of_best(value_VS[None, :, there_VS.any(0)])[0]
    return half_V


def of_best(value_BVS: np.ndarray, chains: int = 100, keep: int = 100) -> np.ndarray:
    """The same of several comparisons at once.  B comparison · V variant

    Args:
        value_BVS: The numbers of each.
        chains, keep: As :func:`draw_spreads` takes them.
    """
    spreads = draw_spreads(value_BVS, chains=chains, keep=keep)
    generator = np.random.default_rng(0)
    count_B1V = np.isfinite(value_BVS).sum(2)[:, None]
    squares_BR = (spreads.seed_BRS**2).sum(2)
    variance_BR = squares_BR / generator.chisquare(value_BVS.shape[2] - 1, squares_BR.shape)
    shared_BR1 = (np.sqrt(variance_BR) * generator.standard_normal(squares_BR.shape))[..., None]
    own_BRV = np.sqrt(spreads.variance_BRV) * generator.standard_normal(spreads.variance_BRV.shape)
    off_BRV = (shared_BR1 + own_BRV) / np.sqrt(count_B1V)
    unit_BV = np.quantile(np.abs(off_BRV), 1 - ALPHA, axis=1)
    largest_BR = (off_BRV / unit_BV[:, None]).max(2)
    half_BV: np.ndarray = np.quantile(largest_BR, 1 - ALPHA / 2, axis=1)[:, None] * unit_BV
    return half_BV


def quantile_of(variants: int, freedom: float) -> float:
    """Student's, for the best of so many variants that nothing else is known of: Bonferroni's bound."""
    return float(stats.t.ppf(1 - ALPHA / 2 / max(1, variants), freedom))
