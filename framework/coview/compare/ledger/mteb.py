"""The numbers of a ledger in the form of MTEB's results: ``results/MODEL/REVISION/TASK.json``.

MTEB (arXiv:2210.07316) keeps one file for each model, revision and task. Its task names stand for its own data sets and
settings; coview's numbers have task names of their own, which say data set, evaluator and protocol, so that no tool
that reads both puts two numbers into one column that were measured differently.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from coview.compare.ledger.groups import asked_for
from coview.compare.ledger.runs import LedgerRun
from coview.data.atomic import write_atomically
from coview.errors import CoviewError
from coview.evaluate.result import Result, measured_kind

_SUBSET = "default"

_UNKNOWN_LANGUAGE: list[str] = ["und-Zyyy"]
"""BCP 47 for an undetermined language in an undetermined script: no recipe says in which its texts are."""


@dataclass(frozen=True)
class _Counterpart:
    """How MTEB calls what an evaluator measures.

    Attributes:
        main: The score that its leaderboard takes for such tasks, of those that coview has.
        scores: By MTEB's name the metric of coview's that is the same number.
    """

    main: str
    scores: Mapping[str, str]


_ACCURACY = _Counterpart("accuracy", {"accuracy": "accuracy"})

COUNTERPARTS: Mapping[str, _Counterpart] = {
    "similarity": _Counterpart(
        "cosine_spearman",
        {"cosine_spearman": "spearman", "spearman": "spearman", "cosine_pearson": "pearson", "pearson": "pearson"},
    ),
    "mteb_classification": _ACCURACY,
    "linear_probe": _ACCURACY,
    "zero_shot": _ACCURACY,
    # V-measure with equal weights is NMI by the arithmetic mean (Rosenberg and Hirschberg 2007; scikit-learn's default)
    "clustering": _Counterpart(
        "v_measure", {"v_measure": "nmi", "nmi": "nmi", "ari": "ari", "cluster_accuracy": "accuracy"}
    ),
    # the share of queries with a right one among k, which is no recall where several are right
    "retrieval": _Counterpart("hit_rate_at_1", {"map": "map", "mrr": "mrr"}),
}
"""By evaluator."""

_HIT_RATE = re.compile(r"recall@(\d+)")


def write_mteb(folder: Path, runs: Sequence[LedgerRun], metric: str | None = None) -> int:
    """Writes a file for each run and task, with the numbers of what the run is about, and none of its controls.

    Args:
        folder: Where ``results/`` goes.
        runs: Of a ledger.
        metric: Which numbers, as for :func:`coview.compare.ledger.groups.asked_for`; a task has all of its evaluator's.

    Returns:
        How many files there are.

    Raises:
        CoviewError: If no number has a counterpart, or they cannot be written.
    """
    files: dict[Path, dict[str, Any]] = {}
    for run in runs:
        record = run.record
        model = folder / "results" / f"coview__{_slug(record.name)}" / record.run
        tasks = _tasks(run, metric)
        for name, scores in tasks.items():
            files[model / f"{name}.json"] = _task_result(run, name, scores)
        if tasks:
            files[model / "model_meta.json"] = _model_meta(run)
    if not files:
        raise CoviewError(
            "there is no number with a counterpart in MTEB", hint=f"evaluators with one: {', '.join(COUNTERPARTS)}"
        )
    try:
        for path, document in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        raise CoviewError(f"{folder} cannot be written: {error.strerror or error}") from error
    return sum(path.name != "model_meta.json" for path in files)


def _tasks(run: LedgerRun, metric: str | None) -> dict[str, list[Result]]:
    """By the name of the task the results that are scores of it."""
    measured = measured_kind(result.kind for record in run.records for result in record.results)
    tasks: dict[str, list[Result]] = {}
    for result in run.results:
        if result.kind == measured and _scores(result):
            tasks.setdefault(task_name(result), []).append(result)
    return {
        name: results
        for name, results in tasks.items()
        if any(asked_for(result.name, metric) for result in results)
        and any(_counterpart(result).main in _scores(result) for result in results)  # type: ignore[union-attr]
    }


def task_name(result: Result) -> str:
    """``Coview-DATA-EVALUATOR-HASH6``: the same for numbers of one evaluator and protocol on one data set."""
    protocol = {key: value for key, value in result.protocol.items() if key != "chosen"}
    text = json.dumps([result.evaluator, result.dataset, result.split, protocol], sort_keys=True)
    return "-".join(
        ("Coview", _slug(result.dataset), result.evaluator.rpartition("/")[2], sha256(text.encode()).hexdigest()[:6])
    )


def _counterpart(result: Result) -> _Counterpart | None:
    return COUNTERPARTS.get(result.evaluator.rpartition("/")[2])


def _scores(result: Result) -> list[str]:
    """What MTEB calls a number; nothing where it has no counterpart."""
    of = _counterpart(result)
    if of is None:
        return []
    names = [name for name, metric in of.scores.items() if metric == result.metric]
    if (found := _HIT_RATE.fullmatch(result.metric)) and of.main.startswith("hit_rate"):
        names.append(f"hit_rate_at_{found[1]}")
    return names


def _task_result(run: LedgerRun, name: str, results: Sequence[Result]) -> dict[str, Any]:
    """A task's file as MTEB's ``TaskResult`` reads it, with coview's protocol beside the scores."""
    scores: dict[str, Any] = {score: result.value for result in results for score in _scores(result)}
    main = COUNTERPARTS[results[0].evaluator.rpartition("/")[2]].main
    return {
        "dataset_revision": str(results[0].protocol.get("dataset_version", "")),
        "task_name": name,
        "mteb_version": None,
        "scores": {
            results[0].split: [
                {**scores, "main_score": scores[main], "hf_subset": _SUBSET, "languages": _UNKNOWN_LANGUAGE}
            ]
        },
        "evaluation_time": None,
        "kg_co2_emissions": None,
        "date": _timestamp(run.record.started),
        "coview": {
            "dataset": results[0].dataset,
            "evaluator": results[0].evaluator,
            "protocol": dict(results[0].protocol),
            "protocol_hashes": {result.metric: result.protocol_hash for result in results},
        },
    }


def _model_meta(run: LedgerRun) -> dict[str, Any]:
    """What MTEB keeps of a model, as far as a ledger knows."""
    record = run.record
    known = {
        "name": f"coview/{_slug(record.name)}",
        "revision": record.run,
        "release_date": record.started[:10] or None,
        "framework": ["PyTorch"],
        "modalities": list(record.modalities),
    }
    unknown = (
        "loader", "languages", "n_parameters", "memory_usage_mb", "max_tokens", "embed_dim", "license", "open_weights",
        "public_training_code", "public_training_data", "similarity_fn_name", "use_instructions", "training_datasets",
    )  # fmt: skip
    return {**known, **dict.fromkeys(unknown)}


def _timestamp(started: str) -> float | None:
    try:
        return datetime.fromisoformat(started).timestamp()
    except (ValueError, OverflowError):
        return None


def _slug(name: str) -> str:
    """A name as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9._=]+", "-", name).strip("-.") or "unnamed"
