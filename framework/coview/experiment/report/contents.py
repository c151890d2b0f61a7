"""What a run's folder says, read back."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coview.errors import CoviewError
from coview.experiment.report.safe_html import safe_html
from coview.track.metrics_file import read_metrics, split_lines
from coview.track.results_file import RunResults
from coview.track.run_folder import RunFolder


@dataclass(frozen=True)
class Contents:
    """A run as its files have it; what is not there is empty.

    Attributes:
        name: The run's name.
        recipe: The text of the resolved recipe.
        environment: Versions, device, command line, when.
        metrics: The lines of ``metrics.jsonl`` that are of training.
        curve_points: Its lines of what was measured on validation meanwhile.
        measured: What ``results.json`` says.
        trains: Whether its recipe takes a step.
        views: A caption and the HTML of each view, for a few samples.
        hidden: What was hidden of a few views and predicted for it: sentences under "about", and "views".
        damaged: Files that only tell, and cannot be read: their part of the page is empty.
    """

    name: str
    recipe: str
    environment: Mapping[str, Any]
    metrics: Sequence[Mapping[str, Any]]
    curve_points: Sequence[Mapping[str, Any]]
    measured: RunResults
    trains: bool
    views: Sequence[Mapping[str, Any]]
    hidden: Mapping[str, Any] = field(default_factory=dict)
    damaged: Sequence[Path] = ()


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
    damaged: list[Path] = []
    training, points = split_lines(read_metrics(folder.metrics))
    return Contents(
        name=measured.run or str(tables.get("name") or folder.path.name),
        recipe=recipe,
        environment=_read_environment(folder.environment, damaged),
        metrics=training,
        curve_points=points,
        measured=measured,
        trains=not isinstance(train, dict) or train.get("steps") != 0,
        views=_read_views(folder.views, damaged),
        hidden=_read_hidden(folder.hidden, damaged),
        damaged=damaged,
    )


def _read_environment(path: Path, damaged: list[Path]) -> dict[str, Any]:
    environment: dict[str, Any] = _read_json(path, {}, damaged)
    if any(not isinstance(environment.get(part) or {}, Mapping) for part in ("git", "libraries", "plugins")):
        damaged.append(path)
        return {}
    if environment:  # while the report is written, the run is not yet marked as finished
        environment["finished"] = environment.get("finished") or environment.get("ended")
    return environment


def _read_views(path: Path, damaged: list[Path]) -> list[dict[str, Any]]:
    """What is shown of a few samples. The file may have come with a run of somebody else's: see ``safe_html``."""
    rows = _read_json(path, [], damaged)
    if not all(isinstance(row, dict) and isinstance(row.get("views"), list) for row in rows):
        damaged.append(path)
        return []
    captions = [str(row.get("caption", "")) for row in rows]
    shown = [[safe_html(str(view)) for view in row["views"]] for row in rows]
    return [{"caption": caption, "views": views} for caption, views in zip(captions, shown, strict=True)]


def _read_hidden(path: Path, damaged: list[Path]) -> dict[str, Any]:
    """What was hidden of a few views and predicted for it, made safe as those of ``_read_views`` are."""
    content = _read_json(path, {}, damaged)
    try:
        views = [
            {
                "caption": str(view["caption"]),
                "said": [str(line) for line in view["said"]],
                "panels": [
                    {"title": str(panel["title"]), "markup": safe_html(str(panel["html"]))} for panel in view["panels"]
                ],
            }
            for view in content.get("views", [])
        ]
        return {"about": [str(line) for line in content.get("about", [])], "views": views}
    except (TypeError, KeyError, AttributeError):
        damaged.append(path)
        return {"about": [], "views": []}


def _read_json(path: Path, missing: Any, damaged: list[Path]) -> Any:
    """What a file that only tells says; ``missing`` if there is none, or if it is damaged, which is noted."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return missing
    except (OSError, ValueError, RecursionError):
        content = None
    if type(content) is type(missing):
        return content
    damaged.append(path)
    return missing


def _tables(recipe: str) -> dict[str, Any]:
    try:
        return tomllib.loads(recipe)
    except tomllib.TOMLDecodeError:  # still worth a report
        return {}
