"""What the page of a comparison shows."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from coview.compare.collect import relative_to
from coview.compare.report import figures
from coview.compare.report.answers import answer_in_words, detectable_in_words, intervals_in_words
from coview.compare.report.differences import differences
from coview.compare.report.head import beside_controls, fixed_in_words, how_sure, varied_in_words
from coview.compare.report.pair_figures import pair_figures
from coview.compare.report.tables import how_to_read, number, with_interval
from coview.compare.report.validation_curves import validation_curves
from coview.compare.statistics.analysis import Analysis
from coview.compare.statistics.ranks import Ranks
from coview.compare.table import Row, Table
from coview.compare.trials import tuning_metric
from coview.compare.tuning import Choice
from coview.evaluate.diagnostic_names import DIAGNOSTICS
from coview.evaluate.paired import said_p
from coview.experiment.environment import read_environment
from coview.pages.svg import SIGNS, VARIANTS
from coview.recipe.comparison import Comparison
from coview.track.progress import duration


@dataclass(frozen=True)
class Source:
    """Where the numbers of a page come from.

    Attributes:
        command: What makes the page again.
        environments: What each run says that it ran on.
        notes: What has to be known of how the numbers came together, a sentence for each.
        has_files: Whether every cell lies beside the page as data.
        shared_views: Whether cells may have used views that another one had made.
    """

    command: str
    environments: Sequence[Mapping[str, Any]]
    notes: Sequence[str] = ()
    has_files: bool = False
    shared_views: bool = False


def source_of(comparison: Comparison, table: Table) -> Source:
    """Of the runs of a comparison."""
    return Source(
        shlex.join(["coview", "compare", comparison.path.as_posix()]),
        [_environment(row) for row in table.rows if row.run],
        has_files=True,
        shared_views=bool(comparison.bank_gb),
    )


def page_values(
    comparison: Comparison,
    table: Table,
    analysis: Analysis,
    folder: Path,
    source: Source,
    choices: Sequence[Choice] = (),
) -> dict[str, Any]:
    """The template's variables."""
    runs = source.environments
    found = differences(table)
    return {
        "name": comparison.name,
        "question": comparison.question,
        "metric": table.metric,
        "how_to_read": how_to_read(table),
        "facts": _facts(table, runs),
        "beside": beside_controls,
        "how_sure": partial(how_sure, table),
        "has_pairs": any(each.pairs for each in analysis.modalities),
        "pair_figures": pair_figures(analysis.modalities),
        "margin": f"{table.margin:g}" if table.margin else "",
        "signs": SIGNS,
        "encoders": table.encoders,
        "modalities": analysis.modalities,
        "forests": figures.ranking_figures(analysis.modalities, table.metric),
        "ranks": analysis.ranks if isinstance(analysis.ranks, Ranks) else None,
        "no_ranks": analysis.ranks if isinstance(analysis.ranks, str) else "",
        "critical_difference": figures.critical_difference(analysis.ranks) if isinstance(analysis.ranks, Ranks) else "",
        "agreements": analysis.agreements,
        "variants": [(name, index % len(VARIANTS) + 1) for index, name in enumerate(table.variants)],
        "choices": choices,
        "tuned_by": tuning_metric(comparison) if choices else "",
        "trials": choices[0].trials if choices else 0,
        "heat": _heat(table, analysis),
        "validation": validation_curves(table),
        "curves": figures.learning_curves(table),
        "diagnostic_names": _logged(table),
        "diagnostics": _diagnostics(table),
        "shared_views": source.shared_views,
        "notes": source.notes,
        "has_files": source.has_files,
        "costs": figures.cost_figures(table, analysis.modalities),
        "differences": found,
        "varied": varied_in_words(found),
        "fixed": fixed_in_words(found),
        "failed": [row for row in table.rows if row.status != "done"],
        "runs": [(row, _link(row, folder)) for row in table.rows if row.run],
        "command": source.command,
        "versions": _versions(runs),
        "number": number,
        "interval": with_interval,
        "said_p": said_p,
        "answer": answer_in_words,
        "detectable": detectable_in_words,
        "of_intervals": intervals_in_words,
        "finite": math.isfinite,
    }


def _facts(table: Table, runs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    done = sum(row.status == "done" for row in table.rows)
    times = [row.seconds for row in table.rows if row.seconds is not None]
    return {
        "cells": f"{done} of {len(table.rows)} done",
        "variants": str(len(table.variants)),
        "seeds": str(len(table.seeds)),
        "modalities": ", ".join(table.modalities),
        **({"trained": f"{duration(sum(times))} in all"} if times else {}),
        **({"device": device} if (device := _joined(run.get("device") for run in runs)) else {}),
    }


def _heat(table: Table, analysis: Analysis) -> list[tuple[str, list[tuple[float, float]]]]:
    """Variant to its mean less the untrained control in each modality, and its colour: from 1, best, to -1."""
    by_variant = [{s.variant: s.mean - s.untrained for s in each.summaries} for each in analysis.modalities]
    rows = [(name, [each.get(name, math.nan) for each in by_variant]) for name in table.variants]
    strongest = [max((abs(v) for v in each.values() if math.isfinite(v)), default=0) or 1 for each in by_variant]
    sign = -1 if table.lower_is_better else 1
    return [(name, [(v, sign * v / most) for v, most in zip(values, strongest, strict=True)]) for name, values in rows]


def _logged(table: Table) -> list[str]:
    return [name for name in DIAGNOSTICS if any(name in row.diagnostics for row in table.rows)]


def _diagnostics(table: Table) -> list[tuple[str, str, list[float], float, int | None]]:
    """Modality, variant, the mean of each diagnostic over seeds, the training time and the parameters."""
    found, names = [], _logged(table)
    for modality in table.modalities:
        for variant in table.variants:
            rows = [row for row in table.of(modality, variant) if row.run]
            if rows:
                means = [_mean([row.diagnostics[name] for row in rows if name in row.diagnostics]) for name in names]
                found.append((modality, variant, means, figures.cost_of(rows), rows[0].parameters))
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def _link(row: Row, folder: Path) -> str:
    assert row.run is not None
    path = relative_to(row.run.report if row.run.report.exists() else row.run.path, folder)
    return quote(path, errors="surrogateescape")  # a name may have a "#", or not be UTF-8


def _environment(row: Row) -> dict[str, Any]:
    assert row.run is not None
    return read_environment(row.run.environment) or {}


def _versions(runs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What the runs ran on; several values where they differ."""
    libraries = dict.fromkeys(name for run in runs for name in run.get("libraries") or {})
    shown = {
        "coview": _joined(run.get("coview") for run in runs),
        "git revision": _joined((run.get("git") or {}).get("revision") for run in runs),
        "Python": _joined(run.get("python") for run in runs),
        "platform": _joined(run.get("platform") for run in runs),
        "device": _joined(run.get("device") for run in runs),
        "precision of training": _joined(run.get("precision") for run in runs),
        "libraries": ", ".join(
            f"{name} {_joined((run.get('libraries') or {}).get(name) for run in runs)}" for name in libraries
        ),
    }
    return {key: value for key, value in shown.items() if value}


def _joined(values: Any) -> str:
    return " / ".join(dict.fromkeys(str(value) for value in values if value not in (None, "")))
