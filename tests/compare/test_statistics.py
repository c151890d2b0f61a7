"""Each statistic against scipy or statsmodels called by hand, a closed form, or a simulation."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from coview.compare.report.figures import pareto
from coview.compare.statistics.agreement import agreements
from coview.compare.statistics.paired_tests import detectable_effect, paired_tests
from coview.compare.statistics.ranks import Ranks, compare_ranks, groups
from coview.compare.statistics.scores import Scores
from coview.compare.statistics.summary import (
    GROUPS,
    ITEMS,
    NONE,
    SEEDS,
    SEEDS_AND_ITEMS,
    error_over_seeds_and_items,
    summarise,
)
from coview.compare.statistics.verdict import cautions, verdict
from coview.evaluate.intervals import groups_of

NAN = math.nan


def scores(values, *, modality="one", untrained=0.1, raw=0.1, items=None, names="abcdefgh") -> Scores:
    value_VS = np.array(values, dtype=float)
    V, S = value_VS.shape
    return Scores(
        modality, tuple(names[:V]), tuple(map(str, range(S))), value_VS, np.full((V, S), untrained),
        np.full((V, S), raw), items, test="paired_t",
    )  # fmt: skip


def compare_pairs(given: Scores):
    return paired_tests(given).pairs


def smallest_detectable(given: Scores):
    return paired_tests(given).detectable


def said(given: Scores) -> tuple[str, list[str]]:
    summaries, pairs = summarise(given), compare_pairs(given)
    return verdict(given, summaries, pairs), cautions(given, summaries, pairs)


def test_the_interval_over_seeds_is_students():
    values = [0.71, 0.74, 0.69, 0.75]
    (summary,) = summarise(scores([values]))
    assert summary.mean == pytest.approx(0.7225)
    assert summary.sd == pytest.approx(np.std(values, ddof=1))
    expected = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert (summary.low, summary.high) == pytest.approx(expected)
    assert summary.method == SEEDS


def test_one_seed_has_no_interval_and_seeds_without_a_number_do_not_count():
    one, some, none = summarise(scores([[0.5, NAN, NAN], [0.4, 0.6, NAN], [NAN, NAN, NAN]]))
    assert (one.mean, one.seeds, one.method) == (0.5, 1, NONE)
    assert math.isnan(one.sd)
    assert math.isnan(one.low)
    assert (some.mean, some.seeds, some.method) == (0.5, 2, SEEDS)
    assert (none.seeds, none.method) == (0, NONE)
    assert math.isnan(none.mean)


def test_equal_seeds_have_an_interval_without_width():
    (summary,) = summarise(scores([[0.5, 0.5, 0.5]]))
    assert (summary.low, summary.high) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("bounds", "ends"), [((0.0, 1.0), (0.0, 1.0)), ((None, 1.0), (None, 1.0)), ((None, None), (None, None))]
)
def test_no_interval_leaves_the_range_of_the_number(bounds, ends):
    """Two seeds have one degree of freedom: 12.7 standard errors to each side."""
    values = [0.6, 0.8]
    (summary,) = summarise(dataclasses.replace(scores([values]), bounds=bounds))
    wide = stats.t.interval(0.95, 1, loc=0.7, scale=stats.sem(values))
    assert wide[0] < 0
    assert wide[1] > 1
    expected = [wide[end] if ends[end] is None else ends[end] for end in (0, 1)]
    assert (summary.low, summary.high) == pytest.approx(expected)


def test_one_seed_with_items_has_the_binomial_error():
    items = (np.random.default_rng(0).random((1, 1, 400)) < 0.7).astype(np.float32)
    p = float(items.mean())
    (summary,) = summarise(scores([[p]], items=items))
    assert summary.method == ITEMS
    assert summary.high - p == pytest.approx(1.966 * math.sqrt(p * (1 - p) / 400), rel=0.06)


def test_the_interval_over_groups_of_items_is_students():
    """Three speakers of forty items: the t interval of their means; with seeds, what is between these is added."""
    items = (np.random.default_rng(0).random((1, 2, 120)) < 0.7).astype(np.float32)
    speakers = groups_of(np.repeat([2, 0, 1], 40))
    one = replace(scores([[float(items[0, 0].mean())]], items=items[:, :1]), groups=speakers)
    (summary,) = summarise(one)
    means = items[0, 0].reshape(3, 40).mean(1, dtype=float)
    assert summary.method == GROUPS
    assert (summary.low, summary.high) == pytest.approx(stats.t.interval(0.95, 2, means.mean(), stats.sem(means)))
    (both,) = summarise(replace(scores(items.mean(2), items=items), groups=speakers))
    of_groups = stats.sem(items[0].mean(0, dtype=float).reshape(3, 40).mean(1)) ** 2
    of_seeds = items[0].mean(1, dtype=float).var(ddof=1) / 2
    freedom = min(2, (of_groups + of_seeds) ** 2 / (of_groups**2 / 2 + of_seeds**2))
    assert both.high - both.mean == pytest.approx(
        stats.t.ppf(0.975, freedom) * math.sqrt(of_groups + of_seeds), rel=1e-4
    )


def test_the_bootstrap_error_is_that_of_a_loop():
    generator = np.random.default_rng(3)
    items_SN = (generator.random((3, 40)) < [[0.5], [0.6], [0.8]]).astype(float)
    means = []
    for _ in range(4000):
        seeds, items = generator.integers(3, size=2), generator.integers(40, size=40)
        means.append(np.mean([[items_SN[s, n] for n in items] for s in seeds]))
    error, freedom = error_over_seeds_and_items(items_SN, np.random.default_rng(1))
    assert error == pytest.approx(np.std(means), rel=0.06)
    assert 2 <= freedom <= 41


@pytest.mark.parametrize("seed_sd", [0.0, 0.03])
def test_the_interval_over_seeds_and_items_covers(seed_sd):
    """Items differ in difficulty, seeds in skill; the truth is the mean over all items and seeds there could be."""
    generator = np.random.default_rng(5)
    covered, trials = 0, 200
    for _ in range(trials):
        skill_S1, difficulty_N = seed_sd * generator.standard_normal((3, 1)), generator.uniform(0.4, 0.9, size=150)
        items_SN = (generator.random((3, 150)) < difficulty_N + skill_S1).astype(np.float32)
        (summary,) = summarise(scores([items_SN.mean(1)], items=items_SN[None]))
        assert summary.method == SEEDS_AND_ITEMS
        covered += summary.low <= 0.65 <= summary.high
    assert covered / trials >= 0.91


def test_pairs_are_paired_t_tests_with_holms_correction():
    values = [[0.70, 0.72, 0.71, 0.75], [0.69, 0.70, 0.70, 0.71], [0.60, 0.66, 0.61, 0.62]]
    pairs = compare_pairs(scores(values))
    assert [(pair.first, pair.second) for pair in pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    p = []
    for pair, (one, other) in zip(pairs, combinations(values, 2), strict=True):
        expected = stats.ttest_rel(one, other)
        assert pair.p == pytest.approx(expected.pvalue)
        assert (pair.low, pair.high) == pytest.approx(tuple(expected.confidence_interval()))
        p.append(expected.pvalue)
    by_hand, largest = {}, 0.0
    for step, index in enumerate(np.argsort(p)):
        largest = max(largest, min(1.0, p[index] * (3 - step)))
        by_hand[index] = largest
    assert [pair.p_all for pair in pairs] == pytest.approx([by_hand[index] for index in range(3)])


def test_pairs_use_the_seeds_that_both_have():
    (pair,) = compare_pairs(scores([[0.7, NAN, 0.9, 0.8], [0.5, 0.6, 0.6, NAN]]))
    assert (pair.seeds, pair.difference) == (2, pytest.approx(0.25))


def test_pairs_that_cannot_be_tested():
    (one_seed,) = compare_pairs(scores([[0.7], [0.5]]))
    assert math.isnan(one_seed.p_all)
    assert not one_seed.differs
    (equal,) = compare_pairs(scores([[0.7, 0.6], [0.7, 0.6]]))
    assert (equal.p, equal.differs) == (1.0, False)
    constant = scores([[0.7, 0.6, 0.5], [0.6, 0.5, 0.4]])
    assert compare_pairs(constant)[0].p == 0.0
    assert "differ by the same amount in every seed" in " ".join(said(constant)[1])


@pytest.mark.parametrize("alpha", [0.05, 0.05 / 3, 0.05 / 45])
@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_a_difference_of_the_detectable_size_is_found_in_four_of_five(seeds, alpha):
    shift = detectable_effect(seeds, alpha)
    # a t statistic by hand: a normal draw over the root of a chi-square's mean
    rng = np.random.default_rng(0)
    draws = rng.normal(shift * math.sqrt(seeds), 1, 200_000) / np.sqrt(rng.chisquare(seeds - 1, 200_000) / (seeds - 1))
    found = (np.abs(draws) > stats.t.ppf(1 - alpha / 2, seeds - 1)).mean()
    assert found == pytest.approx(0.8, abs=0.004)


def test_the_detectable_difference_is_in_the_metrics_unit():
    values = [[0.70, 0.75, 0.72], [0.61, 0.69, 0.60]]
    difference = np.subtract(*values)
    expected = np.std(difference, ddof=1) * detectable_effect(3, 0.05)
    found = smallest_detectable(scores(values))
    assert (found.pairs, found.first, found.last) == (1, pytest.approx(expected), pytest.approx(expected))
    assert smallest_detectable(scores([[0.7], [0.6]])) is None


def test_a_lone_difference_of_the_detectable_size_survives_holm_in_four_of_five_comparisons():
    seeds, trials = 5, 20_000
    rng = np.random.default_rng(0)
    shift = detectable_effect(seeds, 0.05 / 3)
    p_TP = np.stack(
        [
            stats.ttest_1samp(rng.normal(mean, 1, (trials, seeds)), 0, axis=1).pvalue
            for mean in (shift, 0.0, 0.0)  # three pairs: one differs, the others do not
        ],
        axis=1,
    )
    order_TP = p_TP.argsort(axis=1)
    passes_TP = np.take_along_axis(p_TP, order_TP, axis=1) <= 0.05 / np.array([3, 2, 1])
    told_apart_TP = np.logical_and.accumulate(passes_TP, axis=1)  # the first that fails ends it
    found = (told_apart_TP & (order_TP == 0)).any(axis=1).mean()
    assert 0.79 < found < 0.82  # the others fall by chance now and then, which makes it easier
    assert smallest_detectable(scores(np.random.default_rng(1).random((3, 5)).tolist())).level == pytest.approx(
        0.05 / 3
    )


NOISE = np.array([0.0, 0.004, -0.004])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0.8 + NOISE, 0.6 - NOISE], "a is best: 0.800, 0.200 above b (paired t test, Holm's p < 0.001, 3 seeds)."),
        ([[0.7, 0.8, 0.6], [0.65, 0.85, 0.58]], "a and b cannot be told apart (3 seeds)."),
        ([[0.7, 0.8, 0.6], [0.65, 0.85, 0.58], [0.1, 0.21, 0.0]], "a and b cannot be told apart (3 seeds). a, with the"),
        ([[0.8], [0.6]], "Too few seeds (1) to name a winner: at least 3. a has the highest mean, 0.800."),
        ([[0.8, 0.81], [0.6, 0.6]], "Too few seeds (2) to name a winner: at least 3."),
        ([[0.8, 0.6, 0.7], [0.6, 0.7, 0.8]], "a and b have the same mean, 0.700, over 3 seeds."),
        ([[0.8, 0.8, 0.8], [NAN, NAN, NAN]], "Only a has a number, 0.800"),
        ([[NAN], [NAN]], "There is no number yet"),
    ],
)  # fmt: skip
def test_verdicts(values, words):
    assert said(scores(values))[0].startswith(words)


def test_against_a_baseline_only_its_own_pairs_are_tested():
    values = [0.7 + NOISE, [0.701, 0.70, 0.699], 0.5 - NOISE, 0.9 - 2 * NOISE]
    given = replace(scores(values), baseline="a")
    pairs = compare_pairs(given)
    assert [(pair.first, pair.second) for pair in pairs] == [("d", "a"), ("b", "a"), ("c", "a")]
    p = [stats.ttest_rel(values[i], values[0]).pvalue for i in (3, 1, 2)]
    assert [pair.p for pair in pairs] == pytest.approx(p)
    by_hand = [max(3 * min(p[0], p[2]), 2 * p[0]), p[1], max(3 * min(p[0], p[2]), 2 * p[2])]
    assert [pair.p_all for pair in pairs] == pytest.approx(by_hand)
    assert smallest_detectable(given).pairs == 3
    assert said(given)[0] == (
        f"Against a, 0.700 over 3 seeds: d (+0.200, Holm's p = {by_hand[0]:.3f}) is better; "
        f"c (-0.200, Holm's p = {by_hand[2]:.3f}) is worse; b cannot be told apart from it."
    )


def test_where_lower_is_better_a_variant_below_the_baseline_is_better():
    given = replace(scores([0.5 - NOISE, 0.7 + NOISE]), baseline="b", lower_is_better=True)
    assert said(given)[0] == "Against b, 0.700 over 3 seeds: a (-0.200, Holm's p < 0.001) is better."


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([[NAN, NAN, NAN], 0.7 + NOISE, 0.6 + NOISE], "a has no number: there is nothing to compare the others with."),
        ([[0.7, NAN, NAN], 0.7 + NOISE, 0.6 + NOISE], "Too few seeds (1) to name a winner"),
        ([0.7 + NOISE, [0.6, NAN, NAN], [NAN] * 3], "Too few seeds (1) to name a winner"),
    ],
)
def test_a_baseline_that_cannot_be_tested_against(values, words):
    given = replace(scores(values), baseline="a")
    assert said(given)[0].startswith(words)
    assert smallest_detectable(given) is None


def test_a_variant_with_too_few_seeds_stands_outside():
    verdict_, cautions_ = said(scores([[0.95, NAN, NAN], 0.8 + NOISE, 0.6 - NOISE]))
    assert verdict_.startswith("b is best: 0.800")
    assert "The verdict leaves out what has fewer than 3 seeds: a." in cautions_
    assert "Seeds are missing: a has 1 of 3." in cautions_


def test_controls_are_asked_for():
    values = [0.8 + NOISE, 0.6 - NOISE]
    assert said(scores(values))[1] == []
    missing = said(scores(values, untrained=NAN))[1]
    assert missing == ["No untrained control was measured for any variant, so the gain from pretraining is unknown."]
    assert said(scores(values, raw=0.7))[1] == [
        "b is below the raw control: what was learnt is worth less than the raw data."
    ]


def test_ranks_over_modalities_are_friedmans_and_nemenyis():
    generator = np.random.default_rng(2)
    every = [scores(generator.random((4, 3)) + np.arange(4)[:, None] / 4, modality=f"m{m}") for m in range(5)]
    ranks = compare_ranks(every)
    assert isinstance(ranks, Ranks)
    means_BV = np.array([each.value_VS.mean(1) for each in every])
    assert (ranks.blocks, ranks.caution) == (5, "")
    assert ranks.p == pytest.approx(stats.friedmanchisquare(*means_BV.T).pvalue)
    by_hand = [np.mean([1 + (row > row[v]).sum() for row in means_BV]) for v in range(4)]
    assert ranks.rank_V == pytest.approx(by_hand)
    assert ranks.critical_difference == pytest.approx(2.569 * math.sqrt(4 * 5 / (6 * 5)), abs=1e-3)  # Demšar 2006
    for a, b in combinations(range(4), 2):
        q = abs(by_hand[a] - by_hand[b]) / math.sqrt(4 * 5 / (6 * 5)) * math.sqrt(2)
        assert ranks.p_VV[a, b] == pytest.approx(stats.studentized_range.sf(q, 4, np.inf), abs=1e-6)


def test_few_modalities_are_ranked_by_seed_and_it_is_said():
    ranks = compare_ranks([scores([[0.9, 0.8], [0.7, 0.9], [0.1, 0.2]])])
    assert isinstance(ranks, Ranks)
    assert ranks.blocks == 2
    assert list(ranks.rank_V) == [1.5, 1.5, 3.0]
    assert "not independent blocks" in ranks.caution


def test_ranks_that_there_are_not():
    assert "needs three variants" in compare_ranks([scores([[0.9, 0.8], [0.7, 0.9]])])
    assert "needs two blocks" in compare_ranks([scores([[0.9], [0.8], [0.7]])])
    tied = compare_ranks([scores([[0.5, 0.5]] * 3)])
    assert isinstance(tied, Ranks)
    assert (tied.p, list(tied.rank_V)) == (1.0, [2.0, 2.0, 2.0])


def test_a_variant_that_a_block_lacks_is_left_out():
    ranks = compare_ranks([scores([[0.9, 0.8], [0.7, 0.9], [0.1, 0.2], [0.3, NAN]])])
    assert isinstance(ranks, Ranks)
    assert ranks.variants == ("a", "b", "c")


@given(st.lists(st.floats(1, 8), min_size=2, max_size=8), st.floats(0.1, 4))
def test_groups_hold_exactly_what_cannot_be_told_apart(ranks, distance):
    given_ranks = np.array(ranks)
    every = Ranks(tuple(map(str, ranks)), 3, "", given_ranks, 0.5, np.ones((1, 1)), distance)
    ordered, found = np.sort(given_ranks), groups(every)
    for a, b in combinations(range(len(ordered)), 2):
        assert (ordered[b] - ordered[a] < distance) == any(first <= a and b <= last for first, last in found)


def test_agreement_is_kendalls_tau_of_the_means():
    first = scores([[0.9, 0.8], [0.7, 0.7], [0.5, 0.4], [0.3, 0.3], [0.2, 0.1]], modality="x")
    second = scores([[0.9, 0.8], [0.3, 0.2], [0.6, 0.4], [0.45, 0.3], [0.2, 0.1]], modality="y")
    (found,) = agreements([first, second])
    assert found.tau == pytest.approx(stats.kendalltau(first.means, second.means).statistic)
    assert found.low <= found.tau <= found.high
    assert (found.variants, found.note) == (5, "")


def test_an_order_that_no_seed_changes_has_an_interval_without_width():
    one = scores([[0.9, 0.91], [0.5, 0.51], [0.1, 0.11]])
    (found,) = agreements([one, one])
    assert (found.tau, found.low, found.high) == (1.0, 1.0, 1.0)
    assert "6 orders" in found.note


@pytest.mark.parametrize(
    ("first", "second", "note"),
    [
        ([[0.9, 0.8]], [[0.9, 0.8]], "fewer than two variants"),
        ([[0.5, 0.5], [0.5, 0.5]], [[0.9, 0.8], [0.1, 0.1]], "ranks nothing"),
        ([[0.5], [0.4]], [[0.9], [0.8]], "one seed: no interval"),
        ([[0.5, 0.6], [NAN, NAN]], [[0.9, 0.9], [0.8, 0.7]], "fewer than two variants"),
    ],
)
def test_agreements_that_cannot_be_told(first, second, note):
    (found,) = agreements([scores(first), scores(second)])
    assert note in found.note
    assert math.isnan(found.low)


@pytest.mark.parametrize(
    ("second", "order"), [([[0.8, 0.9], [0.1, 0.2]], "the same order"), ([[0.1, 0.2], [0.8, 0.9]], "opposite orders")]
)
def test_of_two_variants_the_order_is_said_and_no_correlation(second, order):
    """Which could be 1 or -1 alone, with an interval from the one to the other."""
    (found,) = agreements([scores([[0.9, 0.8], [0.4, 0.5]]), scores(second)])
    assert found.note == f"two variants, in {order}: too few for a correlation"
    assert math.isnan(found.tau)
    assert math.isnan(found.low)


values_of_variants = st.lists(st.lists(st.integers(0, 20).map(float), min_size=4, max_size=4), min_size=3, max_size=6)


@pytest.fixture(autouse=True, scope="module")
def without_collections():
    """statsmodels collects garbage at each correction, which takes a fifth of a second beside torch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gc.collect", lambda: 0)
        yield


@settings(max_examples=10)
@given(values_of_variants, values_of_variants, values_of_variants)
def test_where_lower_is_better_everything_is_that_of_the_negative(first, second, third):
    """Ranks, pairs and their order: a lower number ranks as its negative does where higher is better."""
    blocks = first, second, third
    V = min(map(len, blocks))
    higher = [scores(-np.array(block[:V]), modality=str(b)) for b, block in enumerate(blocks)]
    lower = [replace(scores(block[:V], modality=str(b)), lower_is_better=True) for b, block in enumerate(blocks)]
    for one, other in zip(higher, lower, strict=True):
        assert one.order == other.order
        for a, b in zip(compare_pairs(one), compare_pairs(other), strict=True):
            assert (a.first, a.second) == (b.first, b.second)
            assert (a.difference, a.p) == pytest.approx((-b.difference, b.p), nan_ok=True)
    one, other = compare_ranks(higher), compare_ranks(lower)
    assert isinstance(one, Ranks)
    assert isinstance(other, Ranks)
    assert one.rank_V.tolist() == other.rank_V.tolist()


def test_where_lower_is_better_the_words_are_turned_round():
    given = replace(scores([[5.0, 5.1, 4.9], [9.0, 9.2, 8.9]], untrained=7.0, raw=4.0), lower_is_better=True)
    verdict_of, cautions_of = said(given)
    assert verdict_of.startswith("a is best: 5.000, 4.033 below b (paired t test, Holm's")
    assert cautions_of == [
        "b is above the untrained control: pretraining did harm or did not help.",
        "a and b are above the raw control: what was learnt is worth less than the raw data.",
    ]
    few, _ = said(replace(scores([[5.0], [9.0]]), lower_is_better=True))
    assert few.endswith("a has the lowest mean, 5.000.")


def test_the_front_of_cost_and_value_is_turned_round_too():
    points = [(1.0, 5.0), (2.0, 3.0), (3.0, 4.0), (4.0, 6.0)]
    assert pareto(points) == [0, 3]
    assert pareto(points, sign=-1) == [0, 1]
