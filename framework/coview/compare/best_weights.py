"""Runs as their best weights are measured, by ``train.keep_best``, in place of those of their last step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from coview.compare.cells import FoundCell
from coview.errors import CoviewError
from coview.experiment.evaluate import evaluate_run
from coview.experiment.run import load_run
from coview.plugins.registry import Registry
from coview.track.results_file import RunResults
from coview.track.run_folder import RunFolder
from coview.train.checkpoint import best_step


def of_best_weights(
    cells: Sequence[FoundCell],
    metric: str,
    registry: Registry,
    *,
    measure: bool,
    say: Callable[[str], None] = print,
) -> list[FoundCell]:
    """The cells with the results of each run's best checkpoint, which are in ``results-step-N.json``.

    A cell whose best weights cannot be told, or are not measured, has no run, and the reason.

    Args:
        cells: The cells, found.
        metric: The number that is wanted of them.
        registry: Where components come from.
        measure: Whether to measure a checkpoint that has not been.
        say: Tells of each that is measured.
    """

    def of_best(found: FoundCell, run: RunFolder) -> FoundCell:
        keep_best = found.cell.recipe.train.keep_best
        try:
            step = best_step(run.checkpoints, keep_best)
        except CoviewError as error:
            # the hash of a recipe leaves out what is measured on the way: a run of it may have been without
            reason = f"{error.message}; move {run.path} away, or give another --out, to run it again"
            return replace(found, run=None, reason=reason)
        of_step = RunFolder(run.path, step)
        if all(result.name != metric for result in RunResults.read(of_step.results).results):
            if not measure:
                reason = f"its best weights are not measured yet: coview evaluate {run.path} --step best"
                return replace(found, run=None, reason=reason)
            say(f"  {found.cell.name}: the best weights by {keep_best}, of step {step:,}, are measured")
            try:
                evaluate_run(load_run(run.path, registry, step=step), quiet=True)
            except CoviewError as error:
                return replace(found, run=None, reason=f"its best weights cannot be measured: {error.message}")
        return replace(found, run=of_step)

    return [found if found.run is None else of_best(found, found.run) for found in cells]
