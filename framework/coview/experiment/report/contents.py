"""What a run's folder says, read back."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coview.errors import CoviewError
from coview.evaluate.result import Result
from coview.track.metrics_file import read_metrics
from coview.track.run_folder import RunFolder


@dataclass(frozen=True)
class Contents:
    """A run as its files have it; what is not there is empty.

    Attributes:
        name: The run's name.
        recipe: The text of the resolved recipe.
        recipe_hash: Its hash, once there are results.
        environment: Versions, device, command line, when.
        metrics: The lines of ``metrics.jsonl``.
        results: Every number found.
        encoder, checkpoint: What was evaluated.
        untrained: What the untrained control is.
        trains: Whether its recipe takes a step.
        dataset: Name, version, licence and citation of the data.
        skipped_samples, skipped_evaluators: What was left out, and the reason.
        leaks: Of each data set that was trained and tested on, what both splits have.
        views: A caption and the HTML of each view, for a few samples.
    """

    name: str
    recipe: str
    recipe_hash: str
    environment: Mapping[str, Any]
    metrics: Sequence[Mapping[str, Any]]
    results: Sequence[Result]
    encoder: str
    checkpoint: str
    untrained: str
    trains: bool
    dataset: Mapping[str, Any]
    skipped_samples: Sequence[Mapping[str, Any]]
    skipped_evaluators: Sequence[Mapping[str, Any]]
    leaks: Sequence[Mapping[str, Any]]
    views: Sequence[Mapping[str, Any]]


def read_contents(folder: RunFolder) -> Contents:
    """Reads a run's folder.

    Raises:
        CoviewError: If it has no ``recipe.toml``, or a file in it is not what coview writes.
    """
    if not folder.recipe.exists():
        raise CoviewError(
            f"{folder.path}: no recipe.toml in it, so this is not the folder of a run",
            hint="A run's folder is runs/NAME/STAMP-HASH/.",
        )
    recipe = folder.recipe.read_text(encoding="utf-8", errors="replace")
    tables = _tables(recipe)
    train = tables.get("train")
    found = read_document(folder)
    environment = _read_json(folder.environment, {})
    if environment:  # while the report is written, the run is not yet marked as finished
        environment["finished"] = environment.get("finished") or environment.get("ended")
    return Contents(
        name=str(found.get("run") or tables.get("name") or folder.path.name),
        recipe=recipe,
        recipe_hash=str(found.get("recipe_hash") or ""),
        environment=environment,
        metrics=read_metrics(folder.metrics),
        results=read_results(folder),
        encoder=str(found.get("encoder") or ""),
        checkpoint=str(found.get("checkpoint") or ""),
        untrained=str(found.get("untrained") or "the same encoder before training"),
        trains=not isinstance(train, dict) or train.get("steps") != 0,
        dataset=found.get("dataset") or {},
        skipped_samples=found.get("skipped_samples", []),
        skipped_evaluators=found.get("skipped_evaluators", []),
        leaks=found.get("leaks", []),
        views=_read_json(folder.views, []),
    )


def read_document(folder: RunFolder) -> dict[str, Any]:
    """All of ``results.json``; nothing if there is no such file.

    Raises:
        CoviewError: If it is not what coview writes.
    """
    document: dict[str, Any] = _read_json(folder.results, {})
    return document


def read_results(folder: RunFolder) -> list[Result]:
    """Every number that a run found; none if it has not been evaluated.

    Raises:
        CoviewError: If ``results.json`` is not what coview writes.
    """
    return [_result(row, folder.results) for row in read_document(folder).get("results", [])]


def leak_warnings(leaks: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence for each data set whose test split has something of its train split."""
    return [
        f"Train and test of {leak['data']} are not apart: {leak['said']}."
        for leak in leaks
        if leak["exact"] or leak["near"] or leak["groups"]
    ]


def read_leaks(folder: RunFolder) -> list[dict[str, Any]]:
    """What was found of train in test, by data set; none if it was not looked for.

    Raises:
        CoviewError: If ``results.json`` is not what coview writes.
    """
    leaks: list[dict[str, Any]] = read_document(folder).get("leaks", [])
    return leaks


def _read_json(path: Path, missing: Any) -> Any:
    if not path.exists():
        return missing
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CoviewError(f"{path}: not JSON: {error}") from error
    if type(content) is not type(missing):
        kind = "an object" if isinstance(missing, dict) else "a list"
        raise CoviewError(f"{path}: expected {kind}, got {str(content)[:60]}")
    return content


def _result(row: Mapping[str, Any], path: Path) -> Result:
    try:
        return Result.from_json(row)
    except (KeyError, TypeError, ValueError) as error:
        raise CoviewError(f"{path}: a result is not complete ({error}): {str(row)[:100]}") from error


def _tables(recipe: str) -> dict[str, Any]:
    try:
        return tomllib.loads(recipe)
    except tomllib.TOMLDecodeError:  # still worth a report
        return {}
