"""The model of all cells against loops, closed forms and scipy's Tukey test."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from coview.compare.statistics.item_error import least_variances
from coview.compare.statistics.model_test import LEVEL, model_test, simultaneous
from coview.compare.statistics.pair import Pair
from coview.compare.statistics.pairs import compare_pairs
from coview.compare.statistics.scores import Scores
from coview.compare.statistics.spreads import draw_spreads, share_seeds
from coview.compare.statistics.summary import summarise
from coview.compare.statistics.verdict import verdict

NAN = math.nan
NOISE = np.array([0.0, 0.004, -0.004])
SIX = np.array([0.64, 0.6, 0.59, 0.58, 0.55, 0.49])[:, None] + np.random.default_rng(1).normal(0, 0.02, (6, 3))


def scores(values, **more) -> Scores:
    value_VS = np.array(values, dtype=float)
    V, S = value_VS.shape
    none_VS = np.full((V, S), NAN)
    return Scores("one", tuple("abcdefgh"[:V]), tuple(map(str, range(S))), value_VS, none_VS, none_VS, **more)


def said(given_scores: Scores) -> str:
    return verdict(given_scores, summarise(given_scores), compare_pairs(given_scores).pairs)


def test_spreads_that_are_known_to_be_equal_give_tukeys_intervals_over_variants_and_seeds():
    """d0 so large that spreads are one: the studentized range, with (V - 1)(S - 1) degrees of freedom.

    scipy's Tukey test has no seeds. On numbers less their seed's effect its spread is the same but for the degrees of
    freedom, which it takes to be V(S - 1).
    """
    V, S = SIX.shape
    rest_VS = SIX - SIX.mean(0)
    centered_VS = SIX.mean(1, keepdims=True) + rest_VS - rest_VS.mean(1, keepdims=True)
    freedom = (V - 1) * (S - 1)
    # scipy's half width, less its own quantile and freedom, is the standard error
    theirs = stats.tukey_hsd(*centered_VS).confidence_interval(0.95)
    half = (theirs.high - theirs.low)[0, 1] / 2
    half *= stats.studentized_range.ppf(0.95, V, freedom) / stats.studentized_range.ppf(0.95, V, V * (S - 1))
    half *= math.sqrt(V * (S - 1) / freedom)
    # one degree less than Tukey's, for s0 is uniform beforehand and not its logarithm
    less = freedom - 1
    half *= stats.studentized_range.ppf(0.95, V, less) / stats.studentized_range.ppf(0.95, V, freedom)
    half *= math.sqrt(freedom / less)
    spreads = draw_spreads(SIX[None], shapes=(1e6,), weights=(1,), chains=400, keep=100)
    mine, _, _ = simultaneous(spreads, [0, 0, 2], [1, 5, 3], 0.05 * 0.05 / LEVEL)
    every, _, _ = simultaneous(
        spreads, *map(list, zip(*[(i, j) for i in range(V) for j in range(i)], strict=True)), 0.05 * 0.05 / LEVEL
    )
    assert every[0] == pytest.approx(np.full(15, half), rel=0.02)
    assert (mine < every[0, 0]).all()  # three pairs instead of fifteen
    assert spreads.mean_BV[0] - spreads.mean_BV[0, 0] == pytest.approx(SIX.mean(1) - SIX[0].mean(), abs=1e-12)


def test_the_draws_have_the_variances_of_smyths_formula():
    """Seeds without effects, d0 and s0² given by a great many variants: (d0 s0² + d s²) / (d0 + d), by a loop."""
    generator = np.random.default_rng(0)
    d0, s0, V, S = 8.0, 0.02**2, 300, 4
    true_V = d0 * s0 / generator.chisquare(d0, V)
    value_VS = generator.normal(0, np.sqrt(true_V)[:, None], (V, S))
    spreads = draw_spreads(value_VS[None], seed_effects=False, shapes=(d0,), weights=(1,), chains=10, keep=400)
    # s0² as maximum likelihood has it, to which that of 300 variants is close
    squares = [sum((x - sum(row) / S) ** 2 for x in row) for row in value_VS]
    prior = s0
    for _ in range(200):
        prior = V / sum((d0 + S - 1) / (d0 * prior + q) for q in squares)
    precision_V = (1 / spreads.variance_BRV[0]).mean(0)  # whose mean is the reciprocal of the moderated variance
    for v in range(V):
        assert 1 / precision_V[v] == pytest.approx((d0 * prior + squares[v]) / (d0 + S - 1), rel=0.12)


def test_the_posterior_is_that_of_a_grid():
    """Three variants, two seeds: the seed's effect and all variances integrated by hand, d0 and s0 on a grid."""
    value_VS = np.array([[0.0, 0.03], [0.1, 0.11], [0.2, 0.28]])
    spreads = draw_spreads(value_VS[None], shapes=(4,), weights=(1,), chains=500, keep=200)
    # z is the difference of the two seeds: normal around the effect of the seed with variance 2σ²
    z = value_VS[:, 1] - value_VS[:, 0]
    sigma, s0 = np.geomspace(1e-3, 300, 120), np.geomspace(1e-4, 300, 120)
    effect = np.sinh(np.linspace(-12, 12, 1201)) * 1e-2
    step = np.gradient(effect)
    weight_0 = np.zeros(len(sigma))
    for s in s0:
        prior = stats.invgamma.pdf(sigma**2, 2, scale=2 * s**2) * 2 * sigma**2  # by log σ
        of_v = [
            (prior[:, None] * stats.norm.pdf(z_v, effect, math.sqrt(2) * sigma[:, None])) for z_v in z
        ]  # σ by effect
        rest = of_v[1].sum(0) * of_v[2].sum(0)
        weight_0 += s * (of_v[0] * rest * step).sum(1)  # s0 is uniform; its grid is even by its logarithm
    weight_0 /= weight_0.sum()
    expected = np.interp([0.25, 0.5, 0.75], np.cumsum(weight_0), sigma)
    assert np.quantile(np.sqrt(spreads.variance_BRV[0, :, 0]), [0.25, 0.5, 0.75]) == pytest.approx(expected, rel=0.05)


def test_two_variants_are_a_paired_t_test():
    values = [[0.70, 0.72, 0.71, 0.75], [0.69, 0.70, 0.70, 0.71]]
    (pair,) = model_test(scores(values)).pairs
    theirs = stats.ttest_rel(*values)
    assert (pair.p, pair.p_all) == pytest.approx((theirs.pvalue, theirs.pvalue))
    assert (pair.low, pair.high) == pytest.approx(tuple(theirs.confidence_interval()))


@settings(max_examples=6, deadline=None)
@given(
    st.permutations(range(6)),
    st.lists(st.integers(-8, 8).map(lambda n: n / 16), min_size=3, max_size=3),
    st.sampled_from([None, (1, 2), (4, 0)]),
)
def test_effects_of_seeds_and_the_order_of_variants_change_nothing(order, effects, missing):
    value_VS = np.round(SIX, 6)
    if missing:
        value_VS[missing] = NAN
    of = {frozenset((pair.first, pair.second)): pair for pair in model_test(scores(value_VS)).pairs}
    other = scores((value_VS + np.array(effects))[list(order)])
    other = replace(other, variants=tuple("abcdef"[v] for v in order))
    if missing:  # means of variants with fewer seeds shift with the effects: a pair may be the other way round
        other = replace(other, value_VS=value_VS[list(order)])
    near = 0.01 if missing else 1e-3  # samplers start elsewhere where effects cannot be taken out by a mean
    for pair in model_test(other).pairs:
        expected = of[frozenset((pair.first, pair.second))]
        assert (abs(pair.difference), pair.p, pair.p_all) == pytest.approx(
            (abs(expected.difference), expected.p, expected.p_all), abs=near
        )
        assert pair.high - pair.low == pytest.approx(expected.high - expected.low, rel=10 * near)


def test_missing_cells_are_estimated_by_what_other_variants_say_of_the_seed():
    """The mean difference by weighted least squares where spreads are equal: statsmodels' two-way fit, by hand."""
    value_VS = SIX.copy() + np.array([0.0, 0.3, -0.3])
    value_VS[1, 2] = NAN
    spreads = draw_spreads(value_VS[None], shapes=(1e6,), weights=(1,), chains=400, keep=100)
    there = [(v, s) for v in range(6) for s in range(3) if np.isfinite(value_VS[v, s])]
    design = np.zeros((len(there), 8))
    for row, (v, s) in enumerate(there):
        design[row, v] = 1
        if s:
            design[row, 5 + s] = 1
    fitted = np.linalg.lstsq(design, [value_VS[cell] for cell in there], rcond=None)[0][:6]
    assert spreads.mean_BV[0] - spreads.mean_BV[0, 0] == pytest.approx(fitted - fitted[0], abs=5e-4)


@pytest.mark.parametrize(
    ("there", "linked"),
    [
        ([[1, 1, 0], [0, 1, 1]], True),
        ([[1, 1, 0, 0], [0, 0, 1, 1]], False),
        ([[1, 0, 0], [1, 1, 0], [0, 1, 1]], True),
        ([[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 0, 0]], False),
    ],
)
def test_whether_seeds_link_variants(there, linked):
    assert share_seeds(np.array(there, dtype=bool)) == linked


def test_variants_without_seeds_in_common_are_compared_without_their_effects():
    values = [[0.8, 0.81, 0.79, NAN, NAN, NAN], [NAN, NAN, NAN, 0.5, 0.51, 0.49], [NAN, NAN, NAN, 0.3, 0.31, 0.29]]
    tested = model_test(scores(values))
    assert any("no seeds in common" in note for note in tested.notes)
    assert all(pair.differs for pair in tested.pairs)


@pytest.mark.parametrize(
    ("low", "high", "p", "sign", "answer"),
    [
        (0.02, 0.05, 0.01, 1, "better"),
        (0.02, 0.05, 0.01, -1, "worse"),
        (-0.05, -0.02, 0.01, 1, "worse"),
        (-0.005, 0.009, 0.5, 1, "the same within the margin"),
        (0.002, 0.009, 0.01, 1, "the same within the margin"),
        (-0.005, 0.02, 0.3, 1, "undecided"),
        (NAN, NAN, NAN, 1, "undecided"),
    ],
)
def test_the_four_answers(low, high, p, sign, answer):
    pair = Pair("a", "b", 3, (low + high) / 2, 0.01, low, high, p, p)
    assert pair.answer(sign, 0.01) == answer


def test_an_interval_leaves_out_0_exactly_where_p_is_below_the_level():
    for seed in range(20):
        generator = np.random.default_rng(seed)
        values = generator.normal(0, 0.03, (5, 1)) + generator.normal(0, 0.01, (5, 3))
        for pair in model_test(scores(values)).pairs:
            assert pair.differs == (pair.low > 0 or pair.high < 0)


def test_a_noisy_variant_has_wide_intervals_and_a_quiet_one_narrow():
    generator = np.random.default_rng(0)
    values = generator.normal(0, [[0.002]] * 4 + [[0.08]], (5, 10))
    widths = {(pair.first, pair.second): pair.high - pair.low for pair in model_test(scores(values)).pairs}
    noisy = [width for names, width in widths.items() if "e" in names]
    assert min(noisy) > 8 * max(width for names, width in widths.items() if "e" not in names)


def test_fewer_pairs_are_asked_against_a_baseline():
    alone = {pair.second + pair.first: pair for pair in model_test(scores(SIX)).pairs}
    against = model_test(scores(SIX, baseline="b"))
    assert {pair.second for pair in against.pairs} == {"b"}
    for pair in against.pairs:
        other = alone.get(pair.first + "b") or alone["b" + pair.first]
        assert pair.high - pair.low < other.high - other.low


def test_ties_have_the_error_of_the_test_items():
    """Every seed the same: a mean of 300 items, with a hit and a miss more, which seeds do not average out."""
    given_scores = scores([[0.7] * 3, [0.6] * 3], n=300, bounds=(0.0, 1.0))
    floor_V, notes = least_variances(given_scores)
    share = (0.7 * 300 + 1) / 302
    assert floor_V[0] == pytest.approx(3 * share * (1 - share) / 300)
    assert "The seeds of a, b spread less than their test items allow" in notes[0]
    (pair,) = model_test(given_scores).pairs
    assert 0.001 < pair.p < 0.2
    unknown = compare_pairs(scores([[0.7] * 3, [0.6] * 3]))
    assert math.isnan(unknown.pairs[0].p)
    assert "Is the seed used?" in unknown.notes[0]


def test_the_spread_is_no_less_than_items_that_change_make_it():
    """Three seeds with the same number of hits on other items: the variance of a mean of items that change alone."""
    items_SN = np.zeros((3, 100), dtype=np.float32)
    for seed in range(3):
        items_SN[seed, 10 * seed : 10 * seed + 60] = 1
    floor_V, notes = least_variances(scores([[0.6] * 3], items_VSN=items_SN[None]))
    loop = sum(np.var([items_SN[s, n] for s in range(3)], ddof=1) for n in range(100)) / 100 / 100
    assert floor_V[0] == pytest.approx(loop)
    assert notes


@pytest.mark.parametrize(
    ("values", "more", "words"),
    [
        (SIX, {}, "a is best: 0.6"),
        (SIX, {"margin": 0.3}, "a, b, c, d, e and f are best, and the same within 0.3."),
        (SIX, {"baseline": "b", "margin": 0.3}, "a, c, d, e and f are the same within 0.3"),
        ([[0.7], [0.6], [0.5]], {}, "Too few seeds (1) to name a winner: at least 2. a has the highest mean, 0.700."),
        ([0.7 + NOISE, [NAN] * 3, 0.5 - NOISE], {}, "a is best: 0.700, 0.200 above c (the difference is between 0.1"),
        ([0.7 + NOISE, [NAN] * 3], {}, "Only a has a number"),
    ],
)
def test_verdicts(values, more, words):
    found = said(scores(values, **more))
    assert words in found


def test_one_seed_says_what_to_do():
    tested = compare_pairs(scores([[0.7], [0.6], [0.5]]))
    assert tested.detectable is None
    assert "Give at least three seeds in sweep.grid.seed." in tested.notes[0]


def test_a_difference_of_the_detectable_size_is_found_in_four_of_five():
    """By simulation: three variants, five seeds, alike, so that the size lies between the smallest and the largest."""
    generator = np.random.default_rng(3)
    sizes = [model_test(scores(generator.normal(0, 0.01, (3, 5)))).detectable for _ in range(30)]
    size = float(np.mean([(found.first + found.last) / 2 for found in sizes]))
    found = 0
    for _ in range(100):
        values = np.array([[size], [0], [0]]) + generator.normal(0, 0.01, (3, 5))
        found += any(p.differs and {p.first, p.second} == {"a", "b"} for p in model_test(scores(values)).pairs)
    assert 0.68 < found / 100 < 0.92


def test_few_seeds_are_said_where_wilcoxons_test_can_tell_nothing():
    tested = compare_pairs(scores(SIX, test="wilcoxon"))
    assert [pair.p for pair in tested.pairs] == pytest.approx(
        [stats.wilcoxon(SIX["abcdef".index(p.first)], SIX["abcdef".index(p.second)]).pvalue for p in tested.pairs]
    )
    assert "its smallest p is 0.25" in tested.notes[0]
