"""The numbers of a ledger as a long table, one row a number: CSV or Parquet."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from coview.compare.ledger.groups import asked_for, modality_of
from coview.compare.ledger.runs import LedgerRun
from coview.compare.libraries import require
from coview.data.atomic import replacing
from coview.errors import CoviewError, printable
from coview.evaluate.result import Result

COLUMNS = (
    "number", "evaluator", "metric", "labels_per_class", "dataset", "dataset_version", "split", "modality", "kind",
    "value", "ci_low", "ci_high", "n", "groups", "better", "protocol_hash", "recipe", "seed", "recipe_hash", "run",
    "who", "started", "coview", "device", "seconds", "data_version", "protocol",
)  # fmt: skip


def long_rows(runs: Sequence[LedgerRun], metric: str | None = None) -> list[dict[str, Any]]:
    """One row for each number by ``COLUMNS``, controls included; what records contradict each other in is not there."""
    return [_row(run, result) for run in runs for result in run.results if asked_for(result.name, metric)]


def write_long_table(
    path: Path, runs: Sequence[LedgerRun], form: Literal["csv", "parquet"], metric: str | None = None
) -> int:
    """Writes them as CSV, or as Parquet.

    Returns:
        How many rows there are.

    Raises:
        CoviewError: If pandas or pyarrow is missing, or the file cannot be written.
    """
    pandas = require("pandas")
    if form == "parquet":
        require("pyarrow")
    rows = long_rows(runs, metric)
    frame = pandas.DataFrame(rows, columns=list(COLUMNS))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as beside:
            if form == "parquet":
                frame.to_parquet(beside, index=False)
            else:
                frame.to_csv(beside, index=False)
    except OSError as error:
        raise CoviewError(f"{path} cannot be written: {error.strerror or error}") from error
    return len(rows)


def _row(run: LedgerRun, result: Result) -> dict[str, Any]:
    record = run.record
    row = {
        "number": result.name,
        "evaluator": result.evaluator,
        "metric": result.metric,
        "labels_per_class": str(result.protocol.get("labels_per_class", "all")),
        "dataset": result.dataset,
        "dataset_version": str(result.protocol.get("dataset_version", "")),
        "split": result.split,
        "modality": modality_of(result, run),
        "kind": result.kind,
        "value": result.value,
        "ci_low": result.ci_low,
        "ci_high": result.ci_high,
        "n": result.n,
        "groups": math.nan if result.groups is None else float(result.groups),
        "better": result.better,
        "protocol_hash": result.protocol_hash,
        "recipe": record.name,
        "seed": record.seed,
        "recipe_hash": record.recipe_hash,
        "run": record.run,
        "who": run.who,
        "started": record.started,
        "coview": str(record.made_with.get("coview", "")),
        "device": str(record.made_with.get("device", "")),
        "seconds": math.nan if record.seconds is None else float(record.seconds),
        "data_version": record.data_version,
        "protocol": json.dumps(dict(result.protocol), sort_keys=True),
    }
    # a name of a file may hold bytes that are not UTF-8, which neither form can hold
    return {name: printable(value) if isinstance(value, str) else value for name, value in row.items()}
