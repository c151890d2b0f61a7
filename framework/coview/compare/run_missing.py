"""From a comparison to its report: what is missing is run, what is there is not run again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from coview.compare.cells import FoundCell, find_cells
from coview.compare.check_data import check_data, data_versions
from coview.compare.metric import MeasuredCells
from coview.compare.sharing import Sharing, sharing, side_by_side
from coview.compare.tuned_by import Tuning, note_tuning
from coview.data.atomic import write_atomically
from coview.errors import CoviewError
from coview.experiment.code import modules_of
from coview.experiment.folders import is_finished, runs_below
from coview.launch.job import Done, Job, Launcher
from coview.plugins.registry import Registry
from coview.recipe.comparison import Comparison
from coview.recipe.snapshot import to_toml
from coview.track.run_folder import RunFolder

Say = Callable[[str], None]


def run_missing(
    comparison: Comparison, out: Path, registry: Registry, launcher: Launcher, *, say: Say = print
) -> list[FoundCell]:
    """Runs every cell that has no finished run, and returns all cells as they are then.

    A cell that fails keeps its reason, and stops no other; it is tried again the next time. What all cells
    would fail by stops all: data that are not there before any is run, a number that nothing measures after the first.

    Args:
        comparison: What is compared.
        out: The folder of runs.
        registry: What recipes see.
        launcher: Where runs are computed.
        say: Tells of each that ends.

    Raises:
        CoviewError: If the folder cannot be written, the data cannot be loaded, or runs have no such number as
            ``compare.metric``.
        Interrupted: If this process was asked to stop.
    """
    # another machine may have data that this one does not have
    version = data_versions(registry) if launcher.local_processes else None
    cells = find_cells(comparison, out, registry, version)
    # the first repetition of everything comes first: a comparison that is stopped early has something whole
    missing = sorted((found for found in cells if found.run is None), key=lambda found: found.cell.recipe.seed)
    say(f"{comparison.name}: {len(cells)} cells, {len(cells) - len(missing)} there, {len(missing)} to run")
    for found in missing:
        if found.outdated:
            say(f"  {found.cell.name} is run again: {found.outdated}")
    for found in cells:
        if found.run is not None:
            _note_tuning(found.run, comparison.tuned_by, say, is_new=False)
    if not missing:
        return cells
    measured = MeasuredCells(comparison)
    for found in cells:
        if found.run is not None:
            measured.check(found.cell, found.run)
    if launcher.local_processes:
        check_data([found.cell for found in missing], registry)
        missing = side_by_side(missing, launcher.local_processes)
    here = missing if launcher.local_processes else ()  # what shares a disk
    with sharing(here, out / comparison.name, comparison.bank_gb, say) as shared:
        jobs = {_prepared(found, registry, shared): found for found in missing}
        with closing(launcher.launch(list(jobs))) as launched:
            for ended, done in enumerate(launched, 1):
                found = jobs[done.job]
                _note(found, done)
                if shared is not None:
                    shared.ended(found)
                say(f"  {ended}/{len(jobs)}  {_described(done)}")
                if done.status == "unmeasured":
                    raise CoviewError(
                        f"{comparison.path}: no other cell is run: {done.reason}",
                        hint="compare.metric, tune.metric and train.keep_best name numbers that an evaluator measures",
                    )
                made = _newest(found) if done.status == "done" else None
                if made is not None:
                    if comparison.tuned_by is not None:
                        _note_tuning(made, comparison.tuned_by, say, is_new=True)
                    measured.check(found.cell, made)
        if shared is not None and shared.stopped:
            say(f"  from some moment on, no more views could be kept for other cells: {shared.stopped}")
    return find_cells(comparison, out, registry, version)


def _prepared(found: FoundCell, registry: Registry, shared: Sharing | None) -> Job:
    """The job of a missing cell, its recipe written down."""
    recipe = found.out / "recipe.cell.toml"
    try:
        found.out.mkdir(parents=True, exist_ok=True)
        write_atomically(recipe, to_toml(found.cell.recipe.tables))
    except OSError as error:
        raise CoviewError(f"{found.out} cannot be written: {error.strerror or error}") from error
    modules = modules_of(found.cell.recipe, registry)
    work = None if shared is None else shared.work
    return Job(found.cell.name, recipe, found.out, found.log, registry.disabled, modules, work)


def _newest(found: FoundCell) -> RunFolder | None:
    """The run of a cell that has just ended."""
    runs = [folder for folder in runs_below(found.out) if folder.run_name().is_of(found.cell.recipe.hash)]
    return next((folder for folder in reversed(runs) if is_finished(folder)), None)


def _note_tuning(folder: RunFolder | None, tuning: Tuning, say: Say, *, is_new: bool) -> None:
    """Notes a tuning in a run's folder, which may be somebody else's: the comparison goes on without the note."""
    try:
        if folder is not None:
            note_tuning(folder, tuning, is_new=is_new)
    except CoviewError as error:
        say(f"  warning: a ledger will not know by which tuning this run was chosen: {error.message}")


def _note(found: FoundCell, done: Done) -> None:
    if done.status in ("failed", "unmeasured"):
        write_atomically(found.failure, done.reason + "\n")
    else:
        found.failure.unlink(missing_ok=True)


def _described(done: Done) -> str:
    took = f"{done.seconds:.0f} s"
    if done.status == "done":
        return f"{done.job.name}: done in {took}"
    status = "failed" if done.status == "unmeasured" else done.status
    return f"{done.job.name}: {status} after {took}: {done.reason} ({done.job.log})"
