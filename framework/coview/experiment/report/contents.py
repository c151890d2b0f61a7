"""What a run's folder says, read back."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coview.errors import CoviewError
from coview.experiment.report.safe_html import safe_html
from coview.track.metrics_file import read_metrics
from coview.track.results_file import RunResults
from coview.track.run_folder import RunFolder


@dataclass(frozen=True)
class Contents:
    """A run as its files have it; what is not there is empty.

    Attributes:
        name: The run's name.
        recipe: The text of the resolved recipe.
        environment: Versions, device, command line, when.
        metrics: The lines of ``metrics.jsonl``.
        measured: What ``results.json`` says.
        trains: Whether its recipe takes a step.
        views: A caption and the HTML of each view, for a few samples.
    """

    name: str
    recipe: str
    environment: Mapping[str, Any]
    metrics: Sequence[Mapping[str, Any]]
    measured: RunResults
    trains: bool
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
    measured = RunResults.read(folder.results)
    return Contents(
        name=measured.run or str(tables.get("name") or folder.path.name),
        recipe=recipe,
        environment=_read_environment(folder.environment),
        metrics=read_metrics(folder.metrics),
        measured=measured,
        trains=not isinstance(train, dict) or train.get("steps") != 0,
        views=_read_views(folder.views),
    )


def _read_environment(path: Path) -> dict[str, Any]:
    environment: dict[str, Any] = _read_json(path, {})
    for part in ("git", "libraries", "plugins"):
        if not isinstance(environment.get(part) or {}, Mapping):
            environment.pop(part)
    if environment:  # while the report is written, the run is not yet marked as finished
        environment["finished"] = environment.get("finished") or environment.get("ended")
    return environment


def _read_views(path: Path) -> list[dict[str, Any]]:
    """What is shown of a few samples. The file may have come with a run of somebody else's: see ``safe_html``."""
    return [
        {"caption": str(row.get("caption", "")), "views": [safe_html(str(view)) for view in row["views"]]}
        for row in _read_json(path, [])
        if isinstance(row, dict) and isinstance(row.get("views"), list)
    ]


def _read_json(path: Path, missing: Any) -> Any:
    """What a file that only tells says; ``missing`` if there is none, or if it is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return missing
    return content if type(content) is type(missing) else missing


def _tables(recipe: str) -> dict[str, Any]:
    try:
        return tomllib.loads(recipe)
    except tomllib.TOMLDecodeError:  # still worth a report
        return {}
