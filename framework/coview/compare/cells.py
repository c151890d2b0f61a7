"""The cells of a comparison and what is there of each: a finished run, an unfinished one, or nothing.

Runs are found by the hash of their recipe and by the code of its components, wherever they lie below the folder of
runs: nothing is trained twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from coview.data.json_object import read_json_object
from coview.errors import CoviewError
from coview.experiment.code import changed_code
from coview.experiment.folders import is_finished, runs_below
from coview.plugins.registry import Registry
from coview.recipe.comparison import SEED, Comparison, ComparisonCell
from coview.recipe.load import load_recipe
from coview.track.metrics_file import read_metrics
from coview.track.run_folder import RunFolder


@dataclass(frozen=True)
class FoundCell:
    """A cell, and the run of it.

    Attributes:
        cell: The cell.
        out: The folder that a run of it goes into: ``out/NAME/STAMP-HASH6``.
        run: A finished run of its recipe and of the code as it is now, or None.
        reason: Why it has none although it was tried; empty otherwise.
        outdated: Why a finished run of its recipe does not count: its code has changed, what [start] leads to, or
            its data; empty otherwise.
    """

    cell: ComparisonCell
    out: Path
    run: RunFolder | None
    reason: str = ""
    outdated: str = ""

    @property
    def failure(self) -> Path:
        """Where the reason of a failure is kept until the cell succeeds."""
        return self.out / "failed.txt"

    @property
    def log(self) -> Path:
        """What a run of it printed."""
        return self.out / "log.txt"


def find_cells(
    comparison: Comparison,
    out: Path,
    registry: Registry,
    data_version: Callable[[ComparisonCell], str] | None = None,
) -> list[FoundCell]:
    """Every cell, with its finished run below ``out`` where there is one.

    Args:
        comparison: What is compared.
        out: The folder of runs; cells that are run go into ``out/COMPARISON/runs``.
        registry: What recipes see.
        data_version: What the training data of a cell are now, or "" where that is not known: a run of other data does
            not count. Absent: any run of the recipe does.
    """
    by_hash: dict[str, list[RunFolder]] = {}
    for folder in runs_below(out):
        by_hash.setdefault(folder.run_name().hash, []).append(folder)
    found = []
    for cell in comparison.cells:
        base = out / comparison.name / "runs" / Path(*map(slug, _with_axes(cell)))
        candidates = by_hash.get(cell.recipe.hash[:6], [])
        run, outdated = None, ""
        for folder in (folder for folder in reversed(candidates) if _is_run_of(folder, cell, registry)):
            changed = changed_code(folder, cell.recipe, registry)
            started = _changed_start(folder, cell, registry)
            version = "" if changed or started or data_version is None else data_version(cell)
            of_other_data = _changed_version(folder, version) if version else ""
            if not changed and not started and not of_other_data:
                run, outdated = folder, ""
                break
            why = f"{folder.path} was made by other code: {'; '.join(changed)}" if changed else started or of_other_data
            outdated = outdated or why
        here = FoundCell(cell, base, run, outdated=outdated)
        if run is None and here.failure.is_file():
            reason = here.failure.read_text(encoding="utf-8", errors="replace").strip()
            here = replace(here, reason=reason)
        found.append(here)
    return found


def _changed_start(folder: RunFolder, cell: ComparisonCell, registry: Registry) -> str:
    if not cell.recipe.start:
        return ""
    from coview.experiment.start import changed_start  # it reads tensors, and torch costs start-up time

    return changed_start(folder, cell.recipe, registry)


def _changed_version(folder: RunFolder, version: str) -> str:
    from coview.experiment.changed_data import changed_version  # the same

    return changed_version(folder, version)


def seconds_of(metrics: Sequence[Mapping[str, Any]]) -> float | None:
    """How long a run has trained, by what it logged."""
    seconds = metrics[-1].get("time") if metrics else None
    return float(seconds) if isinstance(seconds, int | float) and seconds else None


def expected_seconds(cells: Sequence[FoundCell]) -> dict[str, float]:
    """By the name of a recipe what its finished runs tell of those that are missing: their median."""
    times: dict[str, list[float]] = {}
    for found in cells:
        if found.run and (seconds := seconds_of(read_metrics(found.run.metrics))) is not None:
            times.setdefault(found.cell.recipe.name, []).append(seconds)
    return {name: sorted(of_recipe)[len(of_recipe) // 2] for name, of_recipe in times.items()}


def by_reason(failed: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Each reason once, with the names that it holds for.

    Args:
        failed: Name and reason.
    """
    found: dict[str, list[str]] = {}
    for name, reason in failed:
        found.setdefault(reason, []).append(name)
    return found


def slug(level: str) -> str:
    """A level as the name of a folder."""
    return re.sub(r"[^A-Za-z0-9._=-]+", "_", level).strip("_.")[:80] or "_"


def _with_axes(cell: ComparisonCell) -> Iterator[str]:
    for axis, level in cell.levels.items():
        yield f"seed-{level}" if axis == SEED else level


def _is_run_of(folder: RunFolder, cell: ComparisonCell, registry: Registry) -> bool:
    if not is_finished(folder):
        return False
    try:
        recorded = read_json_object(folder.results).get("recipe_hash")
        return bool(recorded == cell.recipe.hash == load_recipe(folder.recipe, registry).hash)
    except (OSError, ValueError, CoviewError):
        return False
