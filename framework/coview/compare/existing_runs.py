"""Runs that are there already, compared: their axes are what their recipes differ in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coview.compare.cells import FoundCell
from coview.compare.comparable import difference_but_seed
from coview.compare.tuned_by import check_tuned_alike, tunings_of
from coview.errors import CoviewError
from coview.experiment.folders import is_finished
from coview.experiment.run import Run, load_run
from coview.experiment.start import start_record
from coview.plugins.registry import Registry
from coview.recipe.comparison import RECIPE, SEED, Comparison, ComparisonCell
from coview.recipe.snapshot import flatten, hashed_part
from coview.recipe.sweep import as_level

_ABSENT = "(absent)"
_NAME = "recipe"


def compare_runs(
    paths: Sequence[Path], registry: Registry, *, by: Sequence[str] = ()
) -> tuple[Comparison, list[FoundCell]]:
    """A comparison of finished runs, and its cells.

    Args:
        paths: The runs' folders, or folders of runs, of which the latest counts.
        registry: What their recipes see.
        by: Keys to tell runs apart by, such as ``loss.use``; by default all in which they differ, or the recipes' names
            where these say as much.

    Raises:
        CoviewError: If there are fewer than two runs, one is not finished, or two that ``by`` takes for repetitions
            differ elsewhere, with the difference, or if runs were chosen by different tunings.
    """
    runs = list({run.path.resolve(): run for run in (load_run(path, registry) for path in paths)}.values())
    if len(runs) < 2:
        raise CoviewError("a comparison needs at least two runs")
    for run in runs:
        if not is_finished(run.folder):
            raise CoviewError(f"{run.path} is not finished", hint="coview run RECIPE --resume goes on with it")
    flat = [flatten(hashed_part(run.recipe.tables)) for run in runs]
    axes = _axes(runs, flat, by)
    several_seeds = len({run.recipe.seed for run in runs}) > 1
    seeds: list[dict[str, str]] = [{SEED: str(run.recipe.seed)} if several_seeds else {} for run in runs]
    all_levels = _numbered([{**levels, **seed} for levels, seed in zip(axes, seeds, strict=True)])
    cells = [ComparisonCell(levels, run.recipe) for levels, run in zip(all_levels, runs, strict=True)]
    _check_alike(runs, axes)
    check_tuned_alike([(run.folder, tunings_of(run.folder)) for run in runs])
    comparison = Comparison("comparison", "", None, cells, Path(paths[0]))
    return comparison, [FoundCell(cell, run.path.parent, run.folder) for cell, run in zip(cells, runs, strict=True)]


def _axes(runs: Sequence[Run], flat: Sequence[dict[str, Any]], by: Sequence[str]) -> list[dict[str, str]]:
    """What tells each run from the others, its seed left out."""
    keys = list(dict.fromkeys(key for values in flat for key in values))
    unknown = [key for key in by if key not in keys]
    if unknown:
        raise CoviewError(f"no run has {', '.join(unknown)} in its recipe")
    modalities = ["+".join(run.recipe.modalities) for run in runs]
    of_modality = [{RECIPE: name} if len(set(modalities)) > 1 else {} for name in modalities]
    if by:
        wanted = [key for key in by if key != SEED]
        levels = [{key: as_level(values.get(key, _ABSENT)) for key in wanted} for values in flat]
    else:
        differing = [key for key in keys if key != SEED and len({repr(values.get(key)) for values in flat}) > 1]
        names = [run.recipe.name for run in runs]
        groups = {tuple(repr(values.get(key)) for key in differing) for values in flat}
        if len(differing) > 1 and len(set(names)) == len(groups):
            levels = [{_NAME: name} for name in names]
        else:
            levels = [{key: as_level(values.get(key, _ABSENT)) for key in differing} for values in flat]
    return [{**of, **level} for of, level in zip(of_modality, levels, strict=True)]


def _numbered(all_levels: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """The same, with a number for each run that repeats another of the same levels and seed."""
    total = Counter(tuple(levels.items()) for levels in all_levels)
    seen: Counter[tuple[tuple[str, str], ...]] = Counter()
    numbered = []
    for levels in all_levels:
        key = tuple(levels.items())
        seen[key] += 1
        numbered.append({**levels, "repetition": str(seen[key])} if total[key] > 1 else levels)
    return numbered


def _check_alike(runs: Sequence[Run], axes: Sequence[dict[str, str]]) -> None:
    """Runs of the same levels are averaged, so that they must not differ in anything but their seed."""
    first: dict[tuple[tuple[str, str], ...], Run] = {}
    for run, levels in zip(runs, axes, strict=True):
        other = first.setdefault(tuple(levels.items()), run)
        if _start_versions(other) != _start_versions(run):
            raise CoviewError(
                f"{other.path} and {run.path} would be averaged, but started from different weights: [start] of their "
                "recipes now leads to others",
                hint="leave one of them out",
            )
        if lines := difference_but_seed(other.recipe, run.recipe):
            listed = "\n    ".join(lines)
            raise CoviewError(
                f"{other.path} and {run.path} would be averaged, but differ in more than their seed:\n    {listed}",
                hint="give the key in which they differ to --by, or leave one out",
            )


def _start_versions(run: Run) -> dict[str, str]:
    return {modality: of["version"] for modality, of in start_record(run.folder).items()}
