"""How far each variant's seeds spread, from all variants together, and how far its mean may be off.

The number of a variant is its mean, plus an effect of the seed, plus a rest whose variance is the variant's own. As
Smyth (2004, "Linear models and empirical Bayes methods", Stat. Appl. Genet. Mol. Biol. 3(1):3) has it, the variances
are draws of a scaled inverse chi-square distribution with d0 degrees of freedom around s0²: so each variant lends the
others what it says of the spread, the more the more alike they spread. He takes d0 and s0² from moments of the log
variances as if they were known. Of six variants with three seeds they are hardly known, and intervals that rest on such
estimates err in up to one of seven comparisons. Here they are drawn with the rest, by a Gibbs sampler whose seed is
fixed: d0 from ``SHAPES``, s0 uniform, means and seed effects without any prior.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

SHAPES: tuple[float, ...] = (0.5, 1, 2, 4, 8, 16, 50)
WEIGHTS: tuple[float, ...] = (4, 2, 1, 1, 1, 2, 4)
"""Prior of d0, by simulation: much is given to variances that have nothing in common, and to those that are alike."""

CHAINS, BURN, KEEP = 100, 40, 100
_TINY = 1e-16


@dataclass(frozen=True)
class Spreads:
    """Draws of the posterior.  B comparison · R draw · V variant

    Attributes:
        mean_BV: The means, less what they have in common.
        deviation_BRV: How far a mean is off; only differences of two variants mean anything.
        variance_BRV: Between seeds.
        shape_BR: Of d0.
        seed_BRS: The effects of seeds, less their mean, which no data of variants alone tell.
    """

    mean_BV: np.ndarray
    deviation_BRV: np.ndarray
    variance_BRV: np.ndarray
    shape_BR: np.ndarray
    seed_BRS: np.ndarray


def share_seeds(there_VS: np.ndarray) -> bool:
    """Whether seeds link all variants, so that what is of a seed can be told from what is of a variant."""
    reached = there_VS[0].copy()
    for _ in there_VS:
        reached |= there_VS[(there_VS & reached).any(1)].any(0)
    return bool((there_VS & reached).any(1).all() and there_VS.any(1).all())


def draw_spreads(
    value_BVS: np.ndarray,
    floor_BV: np.ndarray | None = None,
    *,
    seed_effects: bool = True,
    shapes: tuple[float, ...] = SHAPES,
    weights: tuple[float, ...] = WEIGHTS,
    chains: int = CHAINS,
    burn: int = BURN,
    keep: int = KEEP,
) -> Spreads:
    """Draws for several comparisons at once.

    Args:
        value_BVS: The numbers; NaN where a cell is missing. Every variant has one at least, some have two.
        floor_BV: What the variance between seeds is at least; absent: 0.
        seed_effects: Whether seeds have effects; they need seeds that link the variants.
        shapes, weights: Values of d0, and how likely each is beforehand.
        chains, burn, keep: How many samplers for each comparison, the steps that each forgets, and those that it keeps.
    """
    generator = np.random.default_rng(0)
    B, V, S = value_BVS.shape
    N = B * chains
    there_BVS = np.isfinite(value_BVS)
    count_BV = there_BVS.sum(2)
    center_BV = np.where(there_BVS, value_BVS, 0).sum(2) / count_BV
    rest_BVS = np.where(there_BVS, value_BVS - center_BV[..., None], 0)
    floor_BV = np.zeros((B, V)) if floor_BV is None else floor_BV
    of_seed_BS = rest_BVS.sum(1) / np.maximum(there_BVS.sum(1), 1) * seed_effects
    start_BVS = np.where(there_BVS, rest_BVS - of_seed_BS[:, None], 0)
    pooled_B = (start_BVS**2).sum((1, 2)) / (count_BV - 1).sum(1)
    start_BV = np.maximum(pooled_B[:, None], np.maximum(floor_BV, _TINY))
    there, rest, count, floor = (np.repeat(a, chains, 0) for a in (there_BVS, rest_BVS, count_BV, floor_BV))
    least = np.maximum(floor, _TINY) * (count - 1)
    variance = np.repeat(start_BV, chains, 0) * np.exp(generator.normal(0, 0.5, (N, V)))
    d0_G = np.array(shapes)
    prior_G = np.log(weights) + V * (d0_G / 2 * np.log(d0_G / 2) - special.gammaln(d0_G / 2))
    prior_G += special.gammaln((V * d0_G + 1) / 2) - (V * d0_G + 1) / 2 * np.log(d0_G / 2)
    freedom = (count - 1).sum(1)
    kept: list[tuple[np.ndarray, ...]] = []
    for step in range(burn + keep):
        seed = _seeds(rest, there, count, variance, generator) if seed_effects else np.zeros((N, S))
        left = np.where(there, rest - seed[:, None], 0)
        shift = left.sum(2) / count
        squares = np.maximum((np.where(there, left - shift[..., None], 0) ** 2).sum(2), least)
        precision = (1 / variance).sum(1)
        log_G = prior_G - d0_G / 2 * np.log(variance).sum(1)[:, None]
        log_G = log_G - (V * d0_G + 1) / 2 * np.log(precision)[:, None]
        d0 = d0_G[(log_G + generator.gumbel(size=log_G.shape)).argmax(1)]
        s0 = generator.gamma((V * d0 + 1) / 2) / (d0 / 2 * precision)
        variance = ((d0 * s0)[:, None] + squares) / 2 / generator.gamma((d0[:, None] + count - 1) / 2)
        # all at once are made larger or smaller, which one by one would take long where d0 is large
        variance *= ((squares / variance).sum(1) / 2 / generator.gamma((freedom - 1) / 2 + (freedom < 2)))[:, None]
        if step >= burn:
            off = shift + np.sqrt(np.maximum(variance, floor) / count) * generator.standard_normal((N, V))
            kept.append((shift, off, np.maximum(variance, floor), d0, seed - seed.mean(1, keepdims=True)))
    shift, off, variances, d0s, seeds = (np.stack(part, 1).reshape(B, chains * keep, *part[0].shape[1:]) for part in zip(*kept, strict=True))  # fmt: skip  # noqa: E501
    # only differences count: what all variants have in common, as the mean of the seed effects, is taken out
    common = shift.mean(2, keepdims=True)
    mean_shift = (shift - common).mean(1)
    return Spreads(center_BV + mean_shift, off - common - mean_shift[:, None], variances, d0s, seeds)


def _seeds(
    rest: np.ndarray, there: np.ndarray, count: np.ndarray, variance: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """The seeds' effects, given the variances: means are integrated out, and what effects have in common is free."""
    N, _, S = rest.shape
    weight = 1 / variance
    drawn: np.ndarray
    if there.all():
        total = weight.sum(1)[:, None]
        drawn = (weight[..., None] * rest).sum(1) / total + generator.standard_normal((N, S)) / np.sqrt(total)
        return drawn
    here = there.astype(float)
    scale = weight.max(1)
    weight = weight / scale[:, None]
    precision = -np.einsum("nv,nvs,nvt->nst", weight / count, here, here)
    precision[:, range(S), range(S)] += (weight[..., None] * here).sum(1)
    precision += (precision.trace(axis1=1, axis2=2) / S**2)[:, None, None]
    root = np.linalg.cholesky(precision)
    mean = np.linalg.solve(precision, (weight[..., None] * rest).sum(1)[..., None])
    drawn = (
        np.linalg.solve(root.transpose(0, 2, 1), generator.standard_normal((N, S, 1))) / np.sqrt(scale)[:, None, None]
    )
    drawn = (mean + drawn)[..., 0]
    return drawn
