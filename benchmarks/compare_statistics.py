"""How often the statistics of a comparison err, and what they find: each row simulates 2,000 comparisons.

Six variants, unless a row says otherwise. Numbers are a true mean, an effect of the seed, and a rest with the variant's
own spread; where all differ, true means are normal with a standard deviation of 0.07. A comparison errs if one pair
that is equal is told apart, or one that differs is told apart the wrong way round. Power is the share of the pairs
whose true difference is above 0.04 (0.02 near a bound) that are told apart. Beside coview's model: paired t tests with
Holm's correction, and Tukey's test on one pooled spread, on the same numbers.

Rows "best against a control" are of the other interval that a report has: of the best of six equal variants less a
control of the same true mean. The error is the share of comparisons in which it excludes 0, and beside it is the median
of half its width; then Student's t of the best variant alone, which does not allow for the choice, and the same with
Bonferroni's bound.

Spreads "from 0.005 to 0.04" are 0.005, 0.0076, 0.0115, 0.0174, 0.0264 and 0.04, given to variants in turn, so that in
some rows the equal ones are those that spread most, which is where one pooled spread errs.

    OMP_NUM_THREADS=1 python benchmarks/compare_statistics.py [--comparisons 2000] [--only "3 seeds"]
"""

from __future__ import annotations

import argparse
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from coview.compare.statistics.best_of import of_best, quantile_of
from coview.compare.statistics.item_error import least_variances
from coview.compare.statistics.look_sizes import look_sizes
from coview.compare.statistics.looks import look_alpha
from coview.compare.statistics.model_test import simultaneous
from coview.compare.statistics.scores import Scores
from coview.compare.statistics.spreads import draw_spreads

V = 6
EQUAL = np.full(V, 0.015)
UNEQUAL = np.geomspace(0.005, 0.04, V)
OUTLIER = np.array([0.005] * 5 + [0.04])
AT_A_TIME = 250


@dataclass(frozen=True)
class Row:
    """What is simulated.

    Attributes:
        name: What it is.
        true_BV, value_BVS: The means, and the numbers.
        items: Of how many test items each number is the mean; 0: not said.
        large: What a difference has to be above for power.
        until: Whether seeds are added until pairs are decided.
    """

    name: str
    true_BV: np.ndarray
    value_BVS: np.ndarray
    items: int = 0
    large: float = 0.04
    until: bool = False


def pairs_of(variants: int) -> tuple[list[int], list[int]]:
    first, second = zip(*combinations(range(variants), 2), strict=True)
    return list(first), list(second)


def by_model(row: Row) -> np.ndarray:
    """Which pairs are told apart.  B comparison · P pair"""
    first, second = pairs_of(row.value_BVS.shape[1])
    found = []
    for value_BVS in np.array_split(row.value_BVS, math.ceil(len(row.value_BVS) / AT_A_TIME)):
        floor_BV = np.array([least_variances(scores(value_VS, row.items))[0] for value_VS in value_BVS])
        spreads = draw_spreads(value_BVS, floor_BV, chains=20, keep=80)
        half_BP = simultaneous(spreads, first, second)[0]
        found.append(np.abs(spreads.mean_BV[:, first] - spreads.mean_BV[:, second]) > half_BP)
    return np.concatenate(found)


def scores(value_VS: np.ndarray, items: int) -> Scores:
    count, seeds = value_VS.shape
    none_VS = np.full(value_VS.shape, np.nan)
    names, bounds = tuple(map(str, range(count))), (0.0, 1.0)
    return Scores("", names, tuple(map(str, range(seeds))), value_VS, none_VS, none_VS, bounds=bounds, n=items)


def until_decided(row: Row) -> tuple[np.ndarray, float]:
    """Which pairs are told apart, and the mean number of seeds of a variant: `statistics/looks.py`, many at once."""
    first, second = pairs_of(V)
    B, _, most = row.value_BVS.shape
    decided_BP = np.zeros((B, len(first)), dtype=bool)
    used_BVS = np.zeros(row.value_BVS.shape, dtype=bool)
    active_BV = np.ones((B, V), dtype=bool)
    for number, size in enumerate(look_sizes(most)):
        used_BVS[:, :, :size] |= active_BV[..., None]
        for some in np.array_split(np.flatnonzero(active_BV.any(1)), max(1, int(active_BV.any(1).sum()) // AT_A_TIME)):
            value_BVS = np.where(used_BVS[some], row.value_BVS[some], np.nan)[:, :, :size]
            spreads = draw_spreads(value_BVS, chains=20, keep=100)
            half_BP = simultaneous(spreads, first, second, look_alpha(number))[0]
            decided_BP[some] |= np.abs(spreads.mean_BV[:, first] - spreads.mean_BV[:, second]) > half_BP
        active_BV = np.stack(
            [(~decided_BP[:, [v in pair for pair in zip(first, second, strict=True)]]).any(1) for v in range(V)], 1
        )
    return decided_BP, float(used_BVS.sum(2).mean())


def by_paired_t(row: Row) -> np.ndarray:
    first, second = pairs_of(row.value_BVS.shape[1])
    difference_BPS = row.value_BVS[:, first] - row.value_BVS[:, second]
    count_BP = np.isfinite(difference_BPS).sum(2)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pairs with a single seed in common
        sd_BP = np.sqrt(np.nanvar(difference_BPS, axis=2, ddof=1))
        t_BP = np.abs(np.nanmean(difference_BPS, axis=2)) / sd_BP * np.sqrt(count_BP)
    p_BP = np.nan_to_num(2 * stats.t.sf(t_BP, np.maximum(count_BP - 1, 1)), nan=1.0)
    order_BP = p_BP.argsort(1)
    passes_BP = np.take_along_axis(p_BP, order_BP, 1) < 0.05 / np.arange(len(first), 0, -1)
    told_BP = np.zeros_like(passes_BP)
    np.put_along_axis(told_BP, order_BP, np.logical_and.accumulate(passes_BP, 1), 1)
    return told_BP


def by_tukey(row: Row) -> np.ndarray:
    """Of variants and seeds, complete comparisons alone."""
    _, variants, seeds = row.value_BVS.shape
    first, second = pairs_of(variants)
    mean_BV = row.value_BVS.mean(2)
    rest_BVS = row.value_BVS - mean_BV[..., None]
    rest_BVS = rest_BVS - rest_BVS.mean(1, keepdims=True)
    freedom = (variants - 1) * (seeds - 1)
    error_B = np.sqrt((rest_BVS**2).sum((1, 2)) / freedom / seeds)
    quantile = float(stats.studentized_range.ppf(0.95, variants, freedom))
    told: np.ndarray = np.abs(mean_BV[:, first] - mean_BV[:, second]) > quantile * error_B[:, None]
    return told


def against_control(comparisons: int, sd_V: np.ndarray, seeds: int, control: float) -> list[tuple[float, float]]:
    """How often the interval of the best variant less a control of the same true mean excludes 0, and half its width:
    by the model, by Student's t alone, and by that with Bonferroni's bound.

    Args:
        comparisons: How many.
        sd_V: How far each variant spreads.
        seeds: How many.
        control: How far the control spreads over seeds; 0: it is the same in all, as raw features are.
    """
    generator = np.random.default_rng(3)
    shape = comparisons, len(sd_V), seeds
    value_BVS = generator.normal(0, 0.02, (comparisons, 1, seeds)) + sd_V[:, None] * generator.standard_normal(shape)
    value_BVS = value_BVS - generator.normal(0, control, (comparisons, 1, seeds))
    half_BV = np.concatenate(
        [of_best(some, chains=20, keep=80) for some in np.array_split(value_BVS, math.ceil(comparisons / AT_A_TIME))]
    )
    every, best_B = np.arange(comparisons), value_BVS.mean(2).argmax(1)
    best_BS = value_BVS[every, best_B]
    error_B = best_BS.std(1, ddof=1) / math.sqrt(seeds)
    halves = [half_BV[every, best_B], *(error_B * quantile_of(variants, seeds - 1) for variants in (1, len(sd_V)))]
    return [(float((np.abs(best_BS.mean(1)) > half_B).mean()), float(np.median(half_B))) for half_B in halves]


def figures(row: Row, told_BP: np.ndarray) -> tuple[float, float]:
    """The family-wise error, and the power; NaN where no true difference is large."""
    first, second = pairs_of(row.true_BV.shape[1])
    true_BP = row.true_BV[:, first] - row.true_BV[:, second]
    seen_BP = np.nanmean(row.value_BVS, axis=2)
    seen_BP = seen_BP[:, first] - seen_BP[:, second]
    wrong_BP = told_BP & ((true_BP == 0) | (true_BP * seen_BP < 0))
    large_BP = np.abs(true_BP) > row.large
    return float(wrong_BP.any(1).mean()), float(told_BP[large_BP].mean()) if large_BP.any() else math.nan


def rows(comparisons: int) -> list[Callable[[], Row]]:
    def draw(name: str, sd_V: np.ndarray, seeds: int, true: str, **more: object) -> Row:
        generator = np.random.default_rng(1)
        B, count = comparisons, len(sd_V)
        true_BV = np.zeros((B, count))
        sd_BV = np.tile(sd_V, (B, 1))
        if true == "apart":
            true_BV = generator.normal(0, 0.07, (B, count))
            sd_BV = generator.permuted(sd_BV, axis=1)
        elif true.startswith("noisiest"):  # those are equal, the others apart
            equal = int(true[-1])
            true_BV[:, : count - equal] = 0.1 * np.arange(1, count - equal + 1)
        seed_BS = generator.normal(0, 0.02, (B, 1, seeds))
        value_BVS = true_BV[..., None] + seed_BS + sd_BV[..., None] * generator.standard_normal((B, count, seeds))
        if lost := more.pop("lost", 0):
            there_BVS = generator.random(value_BVS.shape) >= float(str(lost))
            there_BVS[:, :, 0] = True
            value_BVS = np.where(there_BVS, value_BVS, np.nan)
        if step := more.pop("step", 0):
            value_BVS = np.round((0.5 + value_BVS) / float(str(step))) * float(str(step))
        return Row(f"{name}: {_SAID[true]}", true_BV, value_BVS, **more)  # type: ignore[arg-type]

    def bounded(seeds: int, true: str, items: int) -> Row:
        generator = np.random.default_rng(2)
        shape = comparisons, V, seeds
        true_BV = generator.uniform(0.95, 1.0, shape[:2]) if true == "apart" else np.full(shape[:2], 0.99)
        spread_BV = 0.5 * np.minimum(1 - true_BV, 0.02)  # towards the bound it falls
        run_BVS = np.clip(true_BV[..., None] + spread_BV[..., None] * generator.uniform(-1.73, 1.73, shape), 0, 1)
        value_BVS = generator.binomial(items, run_BVS) / items
        return Row(f"near 1, {items} items, {seeds} seeds: {_SAID[true]}", true_BV, value_BVS, items, 0.02)

    kinds = ("equal", "noisiest 2", "noisiest 3", "apart")
    made: list[Callable[[], Row]] = []
    made += [lambda t=t: draw("3 seeds, sd 0.015", EQUAL, 3, t) for t in ("equal", "apart")]  # type: ignore[misc]
    for seeds in (3, 2, 5, 10):
        said = f"{seeds} seeds, sds 0.005 to 0.04"
        made += [lambda s=seeds, n=said, t=t: draw(n, UNEQUAL, s, t) for t in kinds]  # type: ignore[misc]
    made += [lambda t=t: draw("5 seeds, sd 0.015", EQUAL, 5, t) for t in ("equal", "apart")]  # type: ignore[misc]
    made += [
        lambda t=t: draw("5 seeds, a tenth of the cells missing", UNEQUAL, 5, t, lost=0.1)  # type: ignore[misc]
        for t in kinds
    ]
    made += [
        lambda t=t: draw("3 seeds, sd 0.004, ties: steps of 0.01", EQUAL * 0.27, 3, t, step=0.01, items=100)  # type: ignore[misc]
        for t in ("equal", "apart")
    ]
    made += [lambda t=t: draw("3 seeds, one of six crashed", UNEQUAL[[0, 1, 2, 3, 5]], 3, t) for t in kinds]  # type: ignore[misc]
    made += [lambda s=s, t=t: bounded(s, t, 300) for s in (3, 5) for t in ("equal", "apart")]  # type: ignore[misc]
    made += [
        lambda t=t: draw("3 seeds, five of sd 0.005 and one of 0.04", OUTLIER, 3, t)  # type: ignore[misc]
        for t in ("equal", "apart")
    ]
    made += [
        lambda t=t: draw("until decided, at most 12 seeds, sds 0.005 to 0.04", UNEQUAL, 12, t, until=True)  # type: ignore[misc]
        for t in ("equal", "noisiest 3", "apart")
    ]
    return made


_SAID = {"equal": "all equal", "noisiest 2": "two equal", "noisiest 3": "three equal", "apart": "all differ"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comparisons", type=int, default=2000)
    parser.add_argument("--only", default="", help="rows whose name has this")
    arguments = parser.parse_args()
    started = time.monotonic()
    print(f"{'error, power':64}{'model':>14}{'paired t, Holm':>17}{'pooled Tukey':>15}")
    for make in rows(arguments.comparisons):
        row = make()
        if arguments.only not in row.name:
            continue
        seeds = ""
        if row.until:
            told_BP, mean = until_decided(row)
            seeds = f"   {mean:.1f} seeds a variant; beside: all {row.value_BVS.shape[2]}"
        else:
            told_BP = by_model(row)
        whole = np.isfinite(row.value_BVS).all()
        every = [told_BP, by_paired_t(row), *([by_tukey(row)] if whole else [])]
        shown = [
            "{:.3f}  {}".format(e, "   –" if math.isnan(p) else f"{p:.2f}") for e, p in (figures(row, t) for t in every)
        ]
        print(f"{row.name:64}{shown[0]:>14}{shown[1]:>17}{shown[2] if whole else '–':>15}{seeds}", flush=True)
    for spread, sd_V in (("sd 0.015", EQUAL), ("sds 0.005 to 0.04", UNEQUAL)):
        for count, control in ((3, 0.0), (3, 0.01), (5, 0.0)):
            name = f"best against a control, {count} seeds, {spread}" + (
                f", the control's {control:g}" if control else ""
            )
            if arguments.only in name:
                found = against_control(arguments.comparisons, sd_V, count, control)
                shown = [f"{error:.3f} ± {half:.3f}" for error, half in found]
                print(f"{name:64}{shown[0]:>14}{shown[1]:>17} alone{shown[2]:>15} by Bonferroni", flush=True)
    print(f"{arguments.comparisons} comparisons a row, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
