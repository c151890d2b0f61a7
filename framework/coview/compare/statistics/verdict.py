"""The answer for a modality, in words, and no surer than the numbers are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from coview.compare.statistics.pair import Answer, Pair
from coview.compare.statistics.scores import Scores
from coview.compare.statistics.summary import Summary
from coview.evaluate.paired import said_p

FEWEST_SEEDS = 3
FEWEST_BY_MODEL = 2
"""The model learns the spread from all variants, so that two seeds of each say something."""


def fewest_seeds(scores: Scores) -> int:
    """How many seeds a variant needs to be named in a verdict."""
    return FEWEST_BY_MODEL if scores.test == "model" else FEWEST_SEEDS


def verdict(scores: Scores, summaries: Sequence[Summary], pairs: Sequence[Pair]) -> str:
    """Which variant is best, or why none can be called so.

    Args:
        scores: The numbers of the modality.
        summaries: Of its variants.
        pairs: Of its variants, the better one first; with a baseline, that one second.
    """
    order = [summaries[v] for v in scores.order]
    above, highest = ("below", "lowest") if scores.lower_is_better else ("above", "highest")
    if not order:
        return "There is no number yet: no cell is done."
    if len(order) == 1:
        lone = order[0]
        if len(summaries) == 1:
            more = "sweep over another key than the seed to compare it with something"
            return f"{lone.variant} is the only variant, with a mean of {lone.mean:.3f}: {more}."
        return f"Only {lone.variant} has a number, {lone.mean:.3f}: there is nothing to compare it with."
    if scores.baseline is not None and scores.baseline not in {summary.variant for summary in order}:
        return f"{scores.baseline} has no number: there is nothing to compare the others with."
    fewest = fewest_seeds(scores)
    enough = [summary for summary in order if summary.seeds >= fewest]
    told = {summary.variant for summary in enough}
    pairs = [pair for pair in pairs if {pair.first, pair.second} <= told]
    seeds = min(((summary.seeds) for summary in enough), default=0)
    if not pairs:
        seeds = min(summary.seeds for summary in order)
        return (
            f"Too few seeds ({seeds}) to name a winner: at least {fewest}. "
            f"{order[0].variant} has the {highest} mean, {order[0].mean:.3f}."
        )
    if all(math.isnan(pair.p) for pair in pairs):
        return f"No pair can be tested. {order[0].variant} has the {highest} mean, {order[0].mean:.3f}."
    if scores.baseline is not None:
        return _against_baseline(scores, summaries, pairs)
    best, second = enough[:2]
    of_best = {pair.second: pair for pair in pairs if pair.first == best.variant}
    answers = {name: pair.answer(scores.sign, scores.margin) for name, pair in of_best.items()}
    # the best by its plain mean may be the worse one by the model, where cells are missing
    rivals = [name for name, answer in answers.items() if answer in ("undecided", "worse")]
    same = [name for name, answer in answers.items() if answer == "the same within the margin"]
    if not same and math.isclose(best.mean, second.mean, rel_tol=1e-12):
        equal = [summary.variant for summary in enough if math.isclose(summary.mean, best.mean, rel_tol=1e-12)]
        return f"{listed(equal)} have the same mean, {best.mean:.3f}, over {seeds} seeds."
    if not rivals and not same:
        closest = of_best[second.variant]
        shown = f"{best.mean:.3f}, {abs(closest.difference):.3f} {above} {second.variant}"
        return f"{best.variant} is best: {shown} ({_by(scores, of_best)}, {seeds} seeds)."
    worse = [name for name in of_best if name not in (*rivals, *same)]
    said = [f"{listed([best.variant, *rivals])} cannot be told apart ({seeds} seeds)."] if rivals else []
    if same:
        said.append(
            f"{listed([best.variant, *same])} {'are' if rivals else 'are best, and'} the same within {scores.margin:g}."
        )
    if worse:
        said.append(f"{best.variant}, with the {highest} mean, is {above} {listed(worse)}.")
    return " ".join(said)


def _by(scores: Scores, of_best: Mapping[str, Pair]) -> str:
    """What shows that the best one is: the least sure of its differences."""
    least = max(of_best.values(), key=lambda pair: pair.p_all)
    if scores.test == "model":
        nearest = min(of_best.values(), key=lambda pair: min(abs(pair.low), abs(pair.high)))
        ends = sorted((abs(nearest.low), abs(nearest.high)))
        of = "" if len(of_best) == 1 else f" to {nearest.second}"
        return (
            f"the difference{of} is between {ends[0]:.3f} and {ends[1]:.3f} with 95 % confidence, {said_p(least.p_all)}"
        )
    return f"{_NAMES[scores.test]}, Holm's {said_p(least.p_all)}"


_NAMES = {"paired_t": "paired t test", "wilcoxon": "Wilcoxon's test"}


def _against_baseline(scores: Scores, summaries: Sequence[Summary], pairs: Sequence[Pair]) -> str:
    mean = next(summary.mean for summary in summaries if summary.variant == scores.baseline)
    found: dict[Answer, list[str]] = {}
    for pair in pairs:
        answer = pair.answer(scores.sign, scores.margin)
        how = f"[{pair.low:+.3f}, {pair.high:+.3f}]" if scores.test == "model" else f"Holm's {said_p(pair.p_all)}"
        sep = " " if scores.test == "model" else ", "
        told = f"{pair.first} ({pair.difference:+.3f}{sep}{how})" if answer in ("better", "worse") else pair.first
        found.setdefault(answer, []).append(told)
    said = [
        f"{listed(found[word])} {'is' if len(found[word]) == 1 else 'are'} {word}"
        for word in ("better", "worse")
        if word in found
    ]
    if same := found.get("the same within the margin"):
        said.append(f"{listed(same)} {'is' if len(same) == 1 else 'are'} the same within {scores.margin:g}")
    if alike := found.get("undecided"):
        said.append(f"{listed(alike)} cannot be told apart from it")
    seeds = min(pair.seeds for pair in pairs)
    return f"Against {scores.baseline}, {mean:.3f} over {seeds} seeds: {'; '.join(said)}."


_MEANS = {
    "untrained": "pretraining did harm or did not help",
    "raw": "what was learnt is worth less than the raw data",
}
"""What it means to be below a control."""


def cautions(scores: Scores, summaries: Sequence[Summary], pairs: Sequence[Pair]) -> list[str]:
    """What has to be known before the verdict is believed."""
    said = []
    measured = [summary for summary in summaries if summary.seeds]
    for name in ("untrained", "raw"):
        lacking = [summary.variant for summary in measured if math.isnan(getattr(summary, name))]
        if lacking:
            whose = "any variant" if len(lacking) == len(measured) else listed(lacking)
            said.append(f"No {name} control was measured for {whose}, so the gain from pretraining is unknown.")
        worse = [summary.variant for summary in measured if _is_worse(summary, getattr(summary, name), scores)]
        if worse:
            is_are = "is" if len(worse) == 1 else "are"
            below = "above" if scores.lower_is_better else "below"
            said.append(f"{listed(worse)} {is_are} {below} the {name} control: {_MEANS[name]}.")
    counts = {summary.seeds for summary in measured}
    if len(counts) > 1:
        fewest = min(measured, key=lambda summary: summary.seeds)
        said.append(f"Seeds are missing: {fewest.variant} has {fewest.seeds} of {len(scores.seeds)}.")
        least = fewest_seeds(scores)
        if min(counts) < least <= max(counts):
            few = [summary.variant for summary in measured if summary.seeds < least]
            said.append(f"The verdict leaves out what has fewer than {least} seeds: {listed(few)}.")
    constant = [pair for pair in pairs if pair.sd == 0 and pair.difference != 0]
    if constant and not math.isnan(constant[0].p):
        said.append(
            f"{constant[0].first} and {constant[0].second} differ by the same amount in every seed: is the seed used?"
        )
    return said


def listed(names: Sequence[str]) -> str:
    """``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _is_worse(summary: Summary, control: float, scores: Scores) -> bool:
    """Whether the whole interval is on the worse side of a control; never of one that was not measured."""
    return summary.low >= control if scores.lower_is_better else summary.high <= control
