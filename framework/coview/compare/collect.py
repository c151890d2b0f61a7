"""From the runs of a comparison to its table, and the table as files."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from coview.compare.cells import FoundCell, seconds_of
from coview.compare.comparable import check_comparable
from coview.compare.libraries import require
from coview.compare.made_with import made_with
from coview.compare.metric import available, ranking_metric
from coview.compare.table import COLUMNS, Row, Table, as_columns
from coview.compare.tuned_by import tuning_hash
from coview.data.json_object import parse_json_object
from coview.errors import CoviewError
from coview.evaluate.diagnostic_names import DIAGNOSTICS
from coview.evaluate.result import FeatureKind, Result, measured_kind
from coview.experiment.environment import read_environment
from coview.recipe.comparison import RECIPE, SEED, Comparison
from coview.track.metrics_file import read_metrics
from coview.track.results_file import RunResults
from coview.track.run_folder import RunFolder


def collect(comparison: Comparison, cells: Sequence[FoundCell]) -> Table:
    """Reads the finished runs, and checks that their numbers may be compared.

    Args:
        comparison: What is compared.
        cells: Its cells, found.

    Raises:
        CoviewError: If no run has the number that ranks, or runs of one modality measured it differently, or
            repetitions differ in more than the seed.
    """
    read = [RunResults.read(found.run.results).results if found.run else () for found in cells]
    metric = ranking_metric(comparison, read)
    matching = [[result for result in results if result.name == metric] for results in read]
    if not any(matching) and any(read):
        raise CoviewError(
            f"no run has the number {metric}, by which the runs are ranked",
            hint=f"compare.metric may be: {', '.join(available(read)) or 'nothing, because the runs have no results'}",
        )
    rows = [_row(found, results, metric) for found, results in zip(cells, _one_protocol(cells, matching), strict=True)]
    table = Table(
        metric,
        rows,
        comparison.baseline,
        comparison.test,
        comparison.margin,
        comparison.until == "decided",
        tuning_hash(comparison.tuned_by),
    )
    check_comparable(table)
    return table


def _one_protocol(cells: Sequence[FoundCell], matching: Sequence[list[Result]]) -> list[dict[FeatureKind, Result]]:
    """By ``COLUMNS``.

    A run that measured the number several times (say, with two k) gives the one that most runs have.
    """
    votes: dict[str, Counter[str]] = {}
    for found, results in zip(cells, matching, strict=True):
        votes.setdefault(_modality(found), Counter()).update({result.protocol_hash: 1 for result in results})
    chosen = []
    for found, results in zip(cells, matching, strict=True):
        by_kind: dict[FeatureKind, Result] = {}
        for result in sorted(results, key=lambda result: -votes[_modality(found)][result.protocol_hash]):
            by_kind.setdefault(result.kind, result)
        chosen.append(as_columns(by_kind, measured_kind(by_kind)))
    return chosen


def _modality(found: FoundCell) -> str:
    return found.cell.levels.get(RECIPE) or "+".join(found.cell.recipe.modalities)


def _row(found: FoundCell, results: Mapping[FeatureKind, Result], metric: str) -> Row:
    levels = found.cell.levels
    status, reason = "done", ""
    if found.run is None:
        status, reason = ("failed", found.reason) if found.reason else ("missing", "it has not been run")
    elif "pretrained" not in results:
        status, reason = "failed", f"its run has no {metric}"
    logged = read_metrics(found.run.metrics) if found.run else []
    return Row(
        modality=_modality(found),
        variant=found.cell.variant,
        seed=levels.get(SEED, str(found.cell.recipe.seed)),
        levels=levels,
        recipe=found.cell.recipe,
        status=status,
        reason=reason,
        results=results,
        seconds=seconds_of(logged),
        diagnostics=_last(logged),
        parameters=_parameters(found.run) if found.run else None,
        run=found.run,
        leaks=_leaks(found.run, results["pretrained"]) if found.run and "pretrained" in results else (),
        stopped=RunResults.read(found.run.results).stopped_in_words if found.run else "",
        made_with=made_with(read_environment(found.run.environment) or {}) if found.run else {},
    )


def _leaks(run: RunFolder, result: Result) -> list[str]:
    return RunResults.read(run.results).leak_warnings(result.dataset, result.protocol.get("dataset_version"))


def _last(logged: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    last = {}
    for row in logged:
        last.update({key: float(row[key]) for key in DIAGNOSTICS if isinstance(row.get(key), int | float)})
    return last


def _parameters(run: RunFolder) -> int | None:
    """How many numbers the last checkpoint's weights hold, from their header alone."""
    try:
        with (run.checkpoints / "last" / "weights.safetensors").open("rb") as file:
            header = parse_json_object(file.read(int.from_bytes(file.read(8), "little")))
        return int(sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__"))
    except (OSError, ValueError, KeyError, TypeError, OverflowError):  # lost or damaged
        return None


def as_frame(table: Table) -> Any:
    """The table as a pandas data frame, one row for each cell."""
    pandas = require("pandas")
    return pandas.DataFrame([_record(row, table) for row in table.rows])


def _record(row: Row, table: Table) -> dict[str, Any]:
    record: dict[str, Any] = {"modality": row.modality, "variant": row.variant, "seed": row.seed}
    record |= {f"axis.{axis}": level for axis, level in row.levels.items()}
    record |= {"status": row.status, "reason": row.reason, "metric": table.metric}
    for kind in COLUMNS:
        result = row.results.get(kind)
        record[kind] = row.value(kind)
        record[f"{kind}_ci_low"] = result.ci_low if result else math.nan
        record[f"{kind}_ci_high"] = result.ci_high if result else math.nan
    result = row.results.get("pretrained")
    record["encoder"] = result.kind if result else ""
    record["n"] = np.nan if result is None else float(result.n)
    record["groups"] = np.nan if result is None or result.groups is None else float(result.groups)
    record["protocol_hash"] = result.protocol_hash if result else ""
    record["tuning"] = table.tuning
    record["seconds"] = math.nan if row.seconds is None else row.seconds
    record["parameters"] = math.nan if row.parameters is None else float(row.parameters)
    record |= {name: row.diagnostics.get(name, math.nan) for name in DIAGNOSTICS}
    record["stopped"] = row.stopped
    record["recipe_hash"] = row.recipe.hash
    record["run"] = str(row.run.path) if row.run else ""
    return record


def write_cells(table: Table, folder: Path) -> tuple[Path, Path]:
    """Writes every cell as ``cells.csv`` and ``cells.parquet``, with the runs' paths relative to the folder.

    Raises:
        CoviewError: If pandas or pyarrow is missing.
    """
    require("pyarrow")
    frame = as_frame(table)
    frame["run"] = [relative_to(row.run.path, folder) if row.run else "" for row in table.rows]
    folder.mkdir(parents=True, exist_ok=True)
    csv, parquet = folder / "cells.csv", folder / "cells.parquet"
    frame.to_csv(csv, index=False)
    frame.to_parquet(parquet, index=False)
    return csv, parquet


def relative_to(path: Path, folder: Path) -> str:
    """The path as seen from the folder."""
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
