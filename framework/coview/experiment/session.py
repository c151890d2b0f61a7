"""One training run from its recipe to its report."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from rich.console import Console

from coview.data.building import build_modalities, build_view_maker
from coview.data.contracts import Dataset
from coview.data.rng import Rng
from coview.data.same import same
from coview.data.values import readable_samples
from coview.data.views import ViewMaker
from coview.errors import CoviewError, Interrupted, SampleError
from coview.evaluate.result import Result
from coview.experiment.controls import kinds_of, untrained_in_words
from coview.experiment.environment import describe_environment, mark_finished, write_environment
from coview.experiment.evaluating import Planned, build_evaluated, evaluate_all, plan_evaluators, write_results
from coview.experiment.feature_store import FeatureStore
from coview.experiment.folders import find_unfinished, is_finished, locked, new_folder
from coview.experiment.splits import Splits
from coview.model.loss_terms import check_labels
from coview.model.topology import build_topology
from coview.plugins.lifecycle import EpochEnd, RunEnd, RunStart, StepEnd
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe
from coview.recipe.snapshot import flatten
from coview.track.collapse import CollapseWatch
from coview.track.progress import Progress
from coview.track.run_folder import RunFolder
from coview.track.tracker import Tracker
from coview.train.checkpoint import whole_checkpoints
from coview.train.device import Precision, choose_device, choose_precision
from coview.train.pretrain import Observer, Pretraining, make_accelerator
from coview.train.stopping import StopRequest

_PREVIEWED = 8
_COMPARED = 128
_MANY_UNCHANGED = 0.5


@dataclass
class Session:
    """What one call of :func:`coview.run` does.

    Attributes:
        recipe: A single run's.
        out: The folder of runs.
        resume: Whether to go on with the latest run of this recipe, where there is one.
        registry: Where components come from.
        console: Where progress and notices go.
    """

    recipe: Recipe
    out: Path
    resume: bool
    registry: Registry
    console: Console

    def run(self) -> RunFolder:
        """Builds everything that can fail first, and only then makes a folder."""
        recipe, registry = self.recipe, self.registry
        resumed = find_unfinished(self.out, recipe) if self.resume else None
        if resumed is not None and is_finished(resumed):
            self._say(f"{resumed.path} is finished: nothing is left to do")
            return resumed
        device = choose_device(recipe)
        precision = choose_precision(recipe, device)
        accelerator = make_accelerator(device, precision)
        splits = Splits(recipe, registry)
        dataset = splits(splits.own, "train")
        planned = plan_evaluators(splits)
        _check_purpose(recipe, planned)
        build_evaluated(splits, planned)
        topology = build_topology(recipe, registry, dataset)
        check_labels(recipe, topology.loss, dataset)
        training = Pretraining(recipe, registry, dataset, topology, accelerator)
        folder = resumed or self._new_folder(accelerator)
        if not accelerator.is_main_process:
            if resumed is not None:
                self._go_back(training, folder)
            with StopRequest() as stop:
                training.run(folder.checkpoints, stop, Observer())
            return folder
        with locked(folder):
            try:
                try:
                    self._lead(folder, training, splits, planned, precision, go_on=resumed is not None)
                except RuntimeError as error:
                    if training.step == 0:
                        self._explain(error)
                    raise
            except CoviewError:
                if resumed is None and training.step == 0:
                    shutil.rmtree(folder.path, ignore_errors=True)
                    with suppress(OSError):  # other runs of the name are in it
                        folder.path.parent.rmdir()
                raise
        return folder

    def _lead(
        self,
        folder: RunFolder,
        training: Pretraining,
        splits: Splits,
        planned: list[Planned],
        precision: Precision,
        *,
        go_on: bool,
    ) -> None:
        """What the main process does: train, evaluate, report, and tell about it."""
        step = self._go_back(training, folder) if go_on else 0
        device, ranks = training.accelerator.device, training.accelerator.num_processes
        if step == 0:
            environment = describe_environment(self.registry, device=device, precision=precision, ranks=ranks)
            write_environment(folder.environment, environment)
            self._say(f"{self.recipe.name} on {environment['device']} in {precision}: {folder.path}")
        for warning in self.recipe.warnings:
            self._say(f"warning: {warning}")
        if "untrained" not in kinds_of(self.recipe, self.registry):
            self._say(f"untrained control: {untrained_in_words(self.recipe, self.registry)}")
        for plan in planned:
            if plan.skipped:
                self._say(f"{plan.table.use} is left out: {plan.skipped}")
        status: Literal["done", "interrupted", "failed"] = "failed"
        try:
            with Tracker(folder, resume_step=step if go_on else None) as tracker:
                self._pretrain(folder, training, splits(splits.own, "train"), tracker)
                self._evaluate(folder, training, splits, planned, tracker)
            mark_finished(folder.environment)
            write_report_or_say_why(folder, self.console)
            status = "done"
        except (Interrupted, KeyboardInterrupt):
            status = "interrupted"
            raise
        finally:
            self._call("coview_run_end", RunEnd(folder.path, status))

    def _pretrain(self, folder: RunFolder, training: Pretraining, dataset: Dataset, tracker: Tracker) -> None:
        length, batch_size = training.length, self.recipe.train.batch_size * self.recipe.train.accumulate
        self._call("coview_run_start", RunStart(folder.path, self.recipe.tables, length.total_steps, training.step))
        if training.step >= length.total_steps:
            return
        maker = build_view_maker(self.recipe, self.registry, preview=True)
        self._preview(dataset, maker, tracker, training.step)
        watch = CollapseWatch()
        of_the_views = self._unchanged(dataset, maker) if training.step == 0 else {}
        with (
            StopRequest() as stop,
            Progress(length.total_steps, length.steps_per_epoch, batch_size, training.step, self.console) as progress,
        ):

            def on_step(step: int, epoch: int, metrics: Mapping[str, float]) -> None:
                progress.step(step, metrics)
                if metrics:
                    tracker.scalars(step, epoch, {**metrics, **of_the_views})
                    of_the_views.clear()
                    if warning := watch.update(step, metrics):
                        self._say(f"warning: {warning}")
                self._call("coview_step_end", StepEnd(step, epoch, metrics))

            training.run(
                folder.checkpoints,
                stop,
                Observer(
                    step=on_step,
                    epoch=lambda step, epoch: self._call("coview_epoch_end", EpochEnd(step, epoch)),
                    skipped=lambda what, reason: self._say(f"skipped {what}: {reason}"),
                ),
            )

    def _evaluate(
        self,
        folder: RunFolder,
        training: Pretraining,
        splits: Splits,
        planned: list[Planned],
        tracker: Tracker,
    ) -> None:
        store = FeatureStore(
            self.recipe,
            self.registry,
            folder,
            training.topology,
            training.step,
            training.accelerator.device,
            self.console,
            splits,
        )
        store.skipped["train"] = tuple(training.skipped.samples.values())
        results = evaluate_all(store, planned)
        write_results(store, planned, results)
        if any("test" in plan.evaluator.splits and plan.source == splits.own for plan in planned if not plan.skipped):
            split = store.features("pretrained", ("test",))["test"]
            tracker.embedding("test", split, store.dataset("test").classes, training.step)
        tracker.hparams(_scalars(self.recipe), _headline(results))

    def _explain(self, error: RuntimeError) -> None:
        """Says why the first step failed, where trying the recipe out does: an encoder whose pictures are too small.

        Raises:
            CoviewError: If trying out finds a mistake of the recipe's. Else it was a bug, and stays one.
        """
        from coview.experiment.trial import try_out

        try:
            try_out(self.recipe, self.registry)
        except CoviewError as mistake:
            raise mistake from error

    def _go_back(self, training: Pretraining, folder: RunFolder) -> int:
        """Resumes from the latest whole checkpoint, and returns its step; 0 if there is none."""
        damaged: list[str] = []
        checkpoint = next(whole_checkpoints(folder.checkpoints, damaged), None)
        for line in damaged:
            self._say(f"warning: a damaged checkpoint is passed over: {line}")
        if checkpoint is None:
            self._say(f"{folder.path} has no whole checkpoint: it starts again from the beginning")
            return 0
        training.resume(checkpoint)
        if training.accelerator.is_main_process:
            self._say(f"{folder.path} goes on from step {checkpoint.step:,} of {training.length.total_steps:,}")
        return checkpoint.step

    def _new_folder(self, accelerator: Accelerator) -> RunFolder:
        made = [str(new_folder(self.out, self.recipe).path) if accelerator.is_main_process else ""]
        if accelerator.num_processes > 1:
            broadcast_object_list(made)
        return RunFolder(Path(made[0]))

    def _preview(self, dataset: Dataset, maker: ViewMaker, tracker: Tracker, step: int) -> None:
        """Shows the views of the first samples, as the first epoch sees them."""
        rng = Rng()
        name, modality = next(iter(build_modalities(self.recipe, self.registry).items()))
        rows, captions = [], []
        for index in range(min(_PREVIEWED, len(dataset))):
            try:
                sample = dataset[index]
            except SampleError:
                continue
            views = zip(self.recipe.view_modalities, maker(sample, 0, rng), strict=True)
            rows.append([sample[name], *(view for of, view in views if of == name)])
            known = dataset.classes is not None and sample.label is not None
            label = dataset.classes[sample.label] if known else ""  # type: ignore[index]
            captions.append(" ".join(filter(None, (label, f"({sample.id})"))))
        if rows:
            tracker.views(modality, rows, captions, step)

    def _unchanged(self, dataset: Dataset, maker: ViewMaker) -> dict[str, float]:
        """The share of the first samples' views that equal their originals; nothing where nothing is augmented."""
        if not any(self.recipe.augment.values()):
            return {}
        rng = Rng()
        equal = [
            same(value, sample[of])
            for sample in itertools.islice(readable_samples(dataset), _COMPARED)
            for of, value in zip(self.recipe.view_modalities, maker(sample, 0, rng), strict=True)
        ]
        share = sum(equal) / max(1, len(equal))
        if share > _MANY_UNCHANGED:
            self._say(f"warning: {share:.0%} of the views equal their original: the augmentations do little")
        return {"unchanged_views": share}

    def _call(self, hook: str, context: Any) -> None:
        if self.registry.manager is not None:
            getattr(self.registry.manager.hook, hook)(context=context)

    def _say(self, text: str) -> None:
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)


def write_report_or_say_why(folder: RunFolder, console: Console) -> None:
    """The report needs libraries that a run does not: without them the run is as good, and says what is missing."""
    from coview.experiment.report import write_report

    try:
        write_report(folder)
    except CoviewError as error:
        console.print(f"no report: {error}", highlight=False, markup=False, soft_wrap=True)


def _check_purpose(recipe: Recipe, planned: list[Planned]) -> None:
    """Raises :class:`CoviewError` if nothing would be trained, and nothing measured."""
    if recipe.trains or not all(plan.skipped for plan in planned):
        return
    reasons = "; ".join(f"{plan.table.use}: {plan.skipped}" for plan in planned) or "there is no evaluator"
    raise CoviewError(
        f'nothing is trained, and nothing can be measured on "{recipe.data.use}": {reasons}',
        hint="choose evaluators that suit the data, such as --set 'evaluate=[{use=\"similarity\"}]'",
    )


def _scalars(recipe: Recipe) -> dict[str, bool | int | float | str]:
    flat = flatten({key: value for key, value in recipe.tables.items() if key not in ("schema", "evaluate", "sweep")})
    return {key: value if isinstance(value, bool | int | float | str) else str(value) for key, value in flat.items()}


def _headline(results: list[Result]) -> dict[str, float]:
    """One number for each evaluator and label budget, for the HPARAMS tab."""
    numbers: dict[str, float] = {}
    for result in results:
        if result.features == "pretrained":
            budget = result.protocol.get("labels_per_class", "all")
            name = f"{result.evaluator}/{result.metric}" + ("" if budget == "all" else f"@{budget}")
            numbers.setdefault(name, result.value)
    return numbers
