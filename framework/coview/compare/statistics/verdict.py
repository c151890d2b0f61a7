"""The answer for a modality, in words, and no surer than the numbers are."""

from __future__ import annotations

import math
from collections.abc import Sequence

from coview.compare.statistics.paired_tests import Pair
from coview.compare.statistics.scores import Scores
from coview.compare.statistics.summary import Summary
from coview.evaluate.paired import said_p

FEWEST_SEEDS = 3


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
        return "There is no number yet: no cell of it is done."
    if len(order) == 1:
        lone = order[0]
        return f"Only {lone.variant} has a number, {lone.mean:.3f}: there is nothing to compare it with."
    if scores.baseline is not None and scores.baseline not in {summary.variant for summary in order}:
        return f"{scores.baseline} has no number: there is nothing to compare the others with."
    enough = [summary for summary in order if summary.seeds >= FEWEST_SEEDS]
    told = {summary.variant for summary in enough}
    pairs = [pair for pair in pairs if {pair.first, pair.second} <= told]
    seeds = min((pair.seeds for pair in pairs), default=min(summary.seeds for summary in order))
    if seeds < FEWEST_SEEDS:
        return (
            f"Too few seeds ({seeds}) to name a winner: at least {FEWEST_SEEDS}. "
            f"{order[0].variant} has the {highest} mean, {order[0].mean:.3f}."
        )
    if scores.baseline is not None:
        return _against_baseline(scores, summaries, pairs)
    best, second = enough[:2]
    if math.isclose(best.mean, second.mean, rel_tol=1e-12):
        equal = [summary.variant for summary in enough if math.isclose(summary.mean, best.mean, rel_tol=1e-12)]
        return f"{listed(equal)} have the same mean, {best.mean:.3f}, over {seeds} seeds."
    rivals = [pair.second for pair in pairs if pair.first == best.variant and not pair.differs]
    if not rivals:
        p = max(pair.p_holm for pair in pairs if pair.first == best.variant)
        return (
            f"{best.variant} is best: {best.mean:.3f}, {abs(best.mean - second.mean):.3f} {above} {second.variant} "
            f"(paired over {seeds} seeds, Holm's {said_p(p)})."
        )
    worse = [pair.second for pair in pairs if pair.first == best.variant and pair.second not in rivals]
    told_apart = f" {best.variant}, with the {highest} mean, is {above} {listed(worse)}." if worse else ""
    return f"{listed([best.variant, *rivals])} cannot be told apart ({seeds} seeds)." + told_apart


def _against_baseline(scores: Scores, summaries: Sequence[Summary], pairs: Sequence[Pair]) -> str:
    mean = next(summary.mean for summary in summaries if summary.variant == scores.baseline)
    better: list[str] = []
    worse: list[str] = []
    alike: list[str] = []
    for pair in pairs:
        if not pair.differs:
            alike.append(pair.first)
            continue
        found = better if scores.sign * pair.difference > 0 else worse
        found.append(f"{pair.first} ({pair.difference:+.3f}, Holm's {said_p(pair.p_holm)})")
    told_apart = [(names, word) for names, word in ((better, "better"), (worse, "worse")) if names]
    said = [f"{listed(names)} {'is' if len(names) == 1 else 'are'} {word}" for names, word in told_apart]
    if alike:
        said.append(f"{listed(alike)} cannot be told apart from it")
    seeds = min(pair.seeds for pair in pairs)
    return f"Against {scores.baseline}, {mean:.3f} over {seeds} seeds: {'; '.join(said)}."


_MEANS = {
    "untrained": "pretraining did harm, or no good",
    "raw": "what was learnt is worth less than the data as they are",
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
            said.append(f"No {name} control was measured for {whose}: how much pretraining brought cannot be told.")
        worse = [summary.variant for summary in measured if _is_worse(summary, getattr(summary, name), scores)]
        if worse:
            is_are = "is" if len(worse) == 1 else "are"
            below = "above" if scores.lower_is_better else "below"
            said.append(f"{listed(worse)} {is_are} {below} the {name} control: {_MEANS[name]}.")
    counts = {summary.seeds for summary in measured}
    if len(counts) > 1:
        fewest = min(measured, key=lambda summary: summary.seeds)
        said.append(f"Seeds are missing: {fewest.variant} has {fewest.seeds} of {len(scores.seeds)}.")
        if min(counts) < FEWEST_SEEDS <= max(counts):
            few = [summary.variant for summary in measured if summary.seeds < FEWEST_SEEDS]
            said.append(f"With fewer than {FEWEST_SEEDS} seeds, {listed(few)} stood outside the verdict.")
    constant = [pair for pair in pairs if pair.sd == 0 and pair.difference != 0]
    if constant:
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
