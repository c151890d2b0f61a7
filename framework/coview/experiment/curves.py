"""Curves: evaluators that measure on validation while a run trains, which goes on as it would without them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache

from rich.console import Console

from coview.errors import CoviewError, UnmeasuredError
from coview.evaluate.generators_kept import generators_kept
from coview.evaluate.result import Result
from coview.experiment.embedding_ranks import EmbeddingRanks
from coview.experiment.evaluators import of_kind
from coview.experiment.feature_store import FeatureStore
from coview.experiment.plan_curves import PlannedCurve, PlannedCurves
from coview.plugins.component import in_one_line
from coview.plugins.hook_calls import HookCalls
from coview.plugins.lifecycle import CurvePoint
from coview.plugins.nearest import did_you_mean
from coview.track.metrics_file import read_metrics, split_lines
from coview.track.progress import duration
from coview.track.run_folder import RunFolder
from coview.track.tracker import Tracker
from coview.train.checkpoint import Score
from coview.train.pauses import Pauses
from coview.train.pretrain import Pretraining


@dataclass
class Curves:
    """Measures in the pauses of a training, and tells about it. One process of a run has one.

    What is measured is a copy of the encoder, and the global generators are left as they were: the weights that the run
    ends with are, bit for bit, those of a run without curves.

    Attributes:
        planned: Which evaluators, when, and on what.
        training: The training.
        folder: The run's.
        tracker: Where points are recorded.
        hooks: What is called after each point.
        say: Gets a line for each point, and what an evaluator cannot measure.
    """

    planned: PlannedCurves
    training: Pretraining
    folder: RunFolder
    tracker: Tracker
    hooks: HookCalls
    say: Callable[[str], None]
    _ranks: Callable[[], EmbeddingRanks] = field(default_factory=lambda: cache(EmbeddingRanks.of_run))
    _values: Mapping[str, float] = field(default_factory=dict)
    _failed: set[str] = field(default_factory=set)

    def pauses(self) -> Pauses:
        """Where the training is to pause.

        Raises:
            CoviewError: If a run that goes on is to keep the best by a curve that it does not have.
        """
        if self.training.step:
            points = split_lines(read_metrics(self.folder.metrics))[1]
            if known := dict.fromkeys(key for row in points for key in row if "/" in key):
                self._check_keep_best(known)
        return Pauses(self._due, self._measure, self._tell)

    def _due(self, step: int) -> bool:
        return bool(self.planned.due(step, self.training.length))

    def _measure(self, step: int, epoch: int) -> Score | None:
        """Measures, records, and returns what the checkpoint of the step is worth by ``train.keep_best``."""
        began = time.monotonic()
        with generators_kept():
            found = self._results(step)
        by_name: dict[str, Result] = {}
        for result in found:
            by_name.setdefault(result.name, result)
        if step == 0:
            self._check_keep_best(by_name)
        self._values = {name: result.value for name, result in by_name.items()}
        if not self._values:
            return None
        self.tracker.curve_point(step, epoch, self._values)
        shown = ", ".join(f"{result.name} {result.value:.4g}" for result in _first_of_each(found))
        self.say(f"step {step:,}, validation: {shown} ({duration(time.monotonic() - began)})")
        best = by_name.get(self.training.recipe.train.keep_best or "")
        return None if best is None else Score(best.name, best.value, best.better)

    def _tell(self, step: int, epoch: int) -> None:
        if self._values:
            self.hooks("coview_curve_point", CurvePoint(step, epoch, self._values))

    def _results(self, step: int) -> list[Result]:
        """What the evaluators find that are due. One that fails costs no training; before the first step it refuses."""
        training, ranks = self.training, self._ranks()
        store = _store(self.planned, training, self.folder, step, ranks)
        with ranks.leading():
            return [result for curve in self.planned.due(step, training.length) for result in self._of(curve, store)]

    def _of(self, curve: PlannedCurve, store: FeatureStore) -> list[Result]:
        step = store.step
        try:
            return of_kind(store, curve.plan, store.on(curve.plan.source, curve.plan.tower).measured)
        except CoviewError as error:
            if step == 0:
                raise CoviewError(
                    f"{curve.where}: {curve.plan.table.use} cannot measure while training: {error.message}",
                    error.hint,
                ) from error
            self._say_failed(curve, step, error.message)
        except Exception as error:  # a bug of one evaluator's is no reason to lose a training
            if step == 0:
                raise
            self._say_failed(curve, step, in_one_line(error))
        return []

    def _say_failed(self, curve: PlannedCurve, step: int, reason: str) -> None:
        use = curve.plan.table.use
        if use not in self._failed:
            self._failed.add(use)
            said = f"warning: {use} could not measure after step {step:,}, and its curve lacks points"
            self.say(f"{said}: {reason}")

    def _check_keep_best(self, names: Iterable[str]) -> None:
        recipe, known = self.training.recipe, list(names)
        keep_best = recipe.train.keep_best
        if keep_best is not None and keep_best not in known:
            meant = did_you_mean(keep_best, known)
            raise UnmeasuredError(
                f'{recipe.where("train", "keep_best")}: no curve is called "{keep_best}"{meant}',
                hint=f"there are: {', '.join(known)}",
            )


def following(planned: PlannedCurves, training: Pretraining, folder: RunFolder) -> Pauses:
    """The pauses of a rank that is not the main process: it embeds its share of what that measures."""
    ranks = cache(EmbeddingRanks.of_run)  # made in the first pause, as on the main process

    def follow(step: int) -> None:
        with generators_kept():
            ranks().follow(_store(planned, training, folder, step, ranks()).share_of)

    return Pauses(lambda step: bool(planned.due(step, training.length)), follow=follow)


def _store(
    planned: PlannedCurves, training: Pretraining, folder: RunFolder, step: int, ranks: EmbeddingRanks
) -> FeatureStore:
    """The features of a copy of the encoder as it is after a step."""
    return FeatureStore(
        training.recipe,
        planned.splits.registry,
        folder,
        training.topology.evaluated_copy(),
        step,
        training.accelerator.device,
        Console(quiet=True),
        planned.splits,
        on_disk=False,
        ranks=ranks,
    )


def _first_of_each(results: Iterable[Result]) -> list[Result]:
    """One number for each evaluator and label budget: the line is to be short."""
    first: dict[tuple[str, str, object], Result] = {}
    for result in results:
        first.setdefault((result.evaluator, result.of, result.protocol.get("labels_per_class")), result)
    return list(first.values())
