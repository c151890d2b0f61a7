"""What a run's folder says, read back."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any

from coview.errors import CoviewError
from coview.evaluate.result import Result
from coview.experiment.report.safe_html import safe_html
from coview.track.metrics_file import read_metrics
from coview.track.run_folder import RunFolder

_ROWS: Mapping[str, Mapping[str, type | UnionType]] = {
    "results": {},
    "skipped_samples": {"sample": str, "reason": str},
    "skipped_evaluators": {"evaluator": str, "reason": str},
    "leaks": {"data": str, "said": str, "exact": int, "near": int, "groups": int | None},
}
"""Parts of ``results.json`` that are lists, and what the page shows of each entry."""


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
    recipe = folder.recipe.read_text(encoding="utf-8")
    tables = _tables(recipe)
    train = tables.get("train")
    found = read_document(folder)
    return Contents(
        name=str(found.get("run") or tables.get("name") or folder.path.name),
        recipe=recipe,
        recipe_hash=str(found.get("recipe_hash") or ""),
        environment=_read_environment(folder.environment),
        metrics=read_metrics(folder.metrics),
        results=read_results(folder),
        encoder=str(found.get("encoder") or ""),
        checkpoint=str(found.get("checkpoint") or ""),
        untrained=str(found.get("untrained") or "the same encoder before training"),
        trains=not isinstance(train, dict) or train.get("steps") != 0,
        dataset=found.get("dataset") or {},
        skipped_samples=found.get("skipped_samples", []),
        skipped_evaluators=found.get("skipped_evaluators", []),
        leaks=[{"near_is": "", "examples": [], **leak} for leak in found.get("leaks", [])],
        views=_read_views(folder.views),
    )


def read_document(folder: RunFolder) -> dict[str, Any]:
    """All of ``results.json``; nothing if there is no such file.

    Raises:
        CoviewError: If it is not what coview writes.
    """
    document: dict[str, Any] = _read_json(folder.results, {})
    if not isinstance(document.get("dataset") or {}, Mapping):
        raise CoviewError(f'{folder.results}: "dataset" has to be an object')
    for part, keys in _ROWS.items():
        _check_rows(document.get(part, []), keys, f'{folder.results}: "{part}"')
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


def _read_environment(path: Path) -> dict[str, Any]:
    environment: dict[str, Any] = _read_json(path, {})
    for part in ("git", "libraries", "plugins"):
        if not isinstance(environment.get(part) or {}, Mapping):
            raise CoviewError(f'{path}: "{part}" has to be an object')
    return environment


def _read_views(path: Path) -> list[dict[str, Any]]:
    """What is shown of a few samples. The file may have come with a run of somebody else's: see ``safe_html``."""
    rows: list[dict[str, Any]] = _read_json(path, [])
    _check_rows(rows, {"caption": str, "views": list}, str(path))
    return [{"caption": row["caption"], "views": [safe_html(str(view)) for view in row["views"]]} for row in rows]


def _check_rows(rows: Any, keys: Mapping[str, type | UnionType], what: str) -> None:
    if not isinstance(rows, list):
        raise CoviewError(f"{what} has to be a list")
    for number, row in enumerate(rows):
        lacks = [
            key for key, kind in keys.items() if not isinstance(row, Mapping) or not isinstance(row.get(key), kind)
        ]
        if lacks:
            raise CoviewError(f"{what}: entry {number} has no {' and no '.join(lacks)}: {str(row)[:100]}")


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
        result = Result.from_json(row)
        texts = (result.metric, result.split, result.evaluator, result.dataset, result.features)
        if not all(isinstance(text, str) for text in texts) or not isinstance(result.n, int):
            raise TypeError("a name is no text, or n is no number")
        if not isinstance(result.protocol, Mapping):
            raise TypeError("protocol is no object")
        return result
    except (KeyError, TypeError, ValueError) as error:
        raise CoviewError(f"{path}: a result is not complete ({error}): {str(row)[:100]}") from error


def _tables(recipe: str) -> dict[str, Any]:
    try:
        return tomllib.loads(recipe)
    except tomllib.TOMLDecodeError:  # still worth a report
        return {}
