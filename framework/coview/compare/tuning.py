"""Equal tuning: each variant tries equally often on validation, and is compared as it chose, with fresh seeds."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from coview.compare.cells import FoundCell, by_reason, find_cells, slug
from coview.compare.run_missing import run_missing
from coview.compare.trials import Arm, Trial, arm_of, trials_as_comparison, trials_of, tuning_metric
from coview.data.atomic import write_atomically
from coview.errors import CoviewError, few
from coview.launch.job import Launcher
from coview.plugins.registry import Registry
from coview.recipe.comparison import Comparison
from coview.recipe.load import with_values
from coview.train.checkpoint import best_by


@dataclass(frozen=True)
class Choice:
    """What a variant has chosen in a modality.

    Attributes:
        modality, variant: Whose.
        values: Dotted key to value, of the best trial; empty where no trial has a number.
        score: Of the best trial, on validation; NaN where there is none.
        typical: The median of the trials: what a choice at random may expect.
        tried: How many trials have a number.
        trials: How many there are.
        reason: Why the first that has none has none.
    """

    modality: str
    variant: str
    values: Mapping[str, Any]
    score: float
    typical: float
    tried: int
    trials: int
    reason: str = ""

    @property
    def said(self) -> str:
        """The values in a line; empty where none was chosen."""
        return ", ".join(f"{key} = {json.dumps(value)}" for key, value in self.values.items())

    @property
    def name(self) -> str:
        """Whose it is."""
        return " · ".join(filter(None, (self.modality, self.variant)))

    def in_words(self) -> str:
        """A line for the terminal, of a variant that has chosen."""
        failed = "" if self.tried == self.trials else f"; {self.trials - self.tried} failed: {self.reason}"
        return f"{self.name}: {self.said}: {self.score:.4f} on validation, the median trial {self.typical:.4f}{failed}"


@dataclass(frozen=True)
class Tuned:
    """A comparison after tuning.

    Attributes:
        comparison: Its cells as chosen; without those of variants that could choose nothing.
        choices: By variant and modality.
        left_out: The cells that are not run, with the reason.
    """

    comparison: Comparison
    choices: Sequence[Choice]
    left_out: Sequence[FoundCell]


def tune(
    comparison: Comparison,
    out: Path,
    registry: Registry,
    launcher: Launcher | None,
    *,
    say: Callable[[str], None] = print,
) -> Tuned:
    """Runs the trials that are missing, lets each variant choose, and writes ``tuning.json`` into the folder.

    Which trial is best is read from validation; test is not looked at. A comparison without a ``[tune]`` comes back as
    it is.

    Args:
        comparison: What is compared.
        out: The folder of runs.
        registry: What recipes see.
        launcher: Where trials are run; None: none is, and those that are there have to be all.
        say: Tells of each that ends, and what is chosen.

    Raises:
        CoviewError: If no variant could choose, or trials are missing and are not to be run.
    """
    trials = trials_of(comparison, registry)
    if not trials:
        return Tuned(comparison, (), ())
    asked = trials_as_comparison(comparison, trials)
    if launcher is None:
        found = find_cells(asked, out, registry)
        if waiting := [one for one in found if one.run is None and not one.reason]:
            outdated = next((f": {one.outdated}" for one in waiting if one.outdated), "")
            raise CoviewError(
                f"{len(waiting)} of {len(found)} trials have not been run, or only by older code: the values to "
                f"compare are not chosen yet{outdated}",
                hint="coview compare without --no-run",
            )
    else:
        count = len(trials) // len({trial.arm for trial in trials})
        say(f"tuning by {asked.metric} on validation, {count} trials each")
        found = run_missing(asked, out, registry, launcher, say=say)
    choices = {arm: _choice(arm, trials, found, str(asked.metric)) for arm in dict.fromkeys(t.arm for t in trials)}
    without = by_reason((choice.name, choice.reason) for choice in choices.values() if not choice.tried)
    if not any(choice.tried for choice in choices.values()):
        first, *others = without
        more = f" (and {len(others)} more reasons)" if others else ""
        raise CoviewError(
            f"{comparison.path}: tune: none of {len(trials)} trials has a number, and nothing can be chosen: "
            f"{first}{more}",
            hint="what each trial printed is in its log.txt; trials that failed are tried again",
        )
    for choice in choices.values():
        if choice.tried:
            say(f"  {choice.in_words()}")
    for reason, names in without.items():
        whose = "its" if len(names) == 1 else "their"
        say(f"  {few(names)}: none of {whose} trials has a number, and nothing is compared: {reason}")
    cells, left_out = [], []
    for cell in comparison.cells:
        choice = choices[arm_of(cell)]
        if choice.tried:
            cells.append(replace(cell, recipe=with_values(cell.recipe, choice.values, "tune", registry)))
        else:
            reason = f"none of its {choice.trials} trials has a number: {choice.reason}"
            left_out.append(FoundCell(cell, out / comparison.name / "runs" / slug(cell.name), None, reason))
    _write(out / comparison.name, comparison, list(choices.values()))
    tuned_by = tuning_of(comparison, trials)
    return Tuned(replace(comparison, cells=cells, tuned_by=tuned_by), list(choices.values()), left_out)


def tuning_of(comparison: Comparison, trials: Sequence[Trial]) -> dict[str, Any]:
    """What makes a tuning the one it is: two that agree in it have asked the same of their variants.

    Args:
        comparison: Before it was tuned.
        trials: Of all its variants.
    """
    given = comparison.tune.model_dump(mode="json")
    each = len(trials) // len({trial.arm for trial in trials})
    return {**given, "trials": each, "metric": tuning_metric(comparison)}


def _choice(arm: Arm, trials: Sequence[Trial], found: Sequence[FoundCell], metric: str) -> Choice:
    """The best trial; the first of equals."""
    own = [(trial, cell) for trial, cell in zip(trials, found, strict=True) if trial.arm == arm]
    scores: list[tuple[float, float, Trial]] = []
    reason = ""
    for trial, cell in own:
        best = None if cell.run is None else best_by(cell.run.checkpoints, metric, sys.maxsize)
        if best is not None and best.score is not None and math.isfinite(best.score.value):
            scores.append((best.score.rank, best.score.value, trial))
        else:
            # without the folder, in which trials that fail alike differ
            reason = reason or cell.reason.replace(f"{cell.out}/", "") or f"its run has no {metric} on validation"
    if not scores:
        return Choice(*arm, {}, math.nan, math.nan, 0, len(own), reason)
    best_rank = min(rank for rank, _, _ in scores)
    _, score, trial = next(one for one in scores if one[0] == best_rank)
    typical = median(value for _, value, _ in scores)
    return Choice(*arm, trial.values, score, typical, len(scores), len(own), reason)


def _write(folder: Path, comparison: Comparison, choices: Sequence[Choice]) -> None:
    """Keeps what was asked and what was chosen, for the report and for who reads after it."""
    rows = [
        {
            "modality": choice.modality,
            "variant": choice.variant,
            "chosen": dict(choice.values),
            "validation": choice.score if choice.tried else None,
            "median_trial": choice.typical if choice.tried else None,
            "trials": choice.trials,
            "with_a_number": choice.tried,
        }
        for choice in choices
    ]
    said = {"metric": tuning_metric(comparison), "tune": comparison.tune.model_dump(mode="json"), "choices": rows}
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "tuning.json", json.dumps(said, indent=1, ensure_ascii=False) + "\n")
