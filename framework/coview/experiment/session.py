"""One training run from its recipe to its report."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from accelerate import Accelerator, PartialState
from rich.console import Console

from coview.data.building import build_view_maker
from coview.data.dataset import Dataset
from coview.errors import CoviewError, Interrupted
from coview.experiment.callbacks import RunCalls, build_callbacks
from coview.experiment.changed_data import changed_data, check_data, data_of
from coview.experiment.code import changed_code, code_of, of_both
from coview.experiment.controls import kinds_of, untrained_in_words
from coview.experiment.curves import Curves, following
from coview.experiment.embedding_ranks import EmbeddingRanks
from coview.experiment.environment import describe_environment, now, read_environment, write_environment
from coview.experiment.evaluators import (
    Planned,
    able_evaluators,
    build_evaluated,
    evaluate_all,
    plan_evaluators,
)
from coview.experiment.feature_store import FeatureStore
from coview.experiment.first_views import show_views
from coview.experiment.folders import (
    find_unfinished,
    is_finished,
    locked,
    mend_recipe,
    new_folder,
    remove_folder,
    set_aside_damaged,
)
from coview.experiment.hparams import given_numbers, reached_numbers
from coview.experiment.masked_views.of_run import first_masked_views, predicted_views
from coview.experiment.parameter_table import parameter_table
from coview.experiment.plan_curves import PlannedCurves, plan_curves
from coview.experiment.report import write_report
from coview.experiment.shared_work import SharedWork
from coview.experiment.splits import Splits
from coview.experiment.start import changed_start, check_start, keep_start, start_record, start_weights
from coview.experiment.suits_samples import suits_samples
from coview.experiment.trial import try_out
from coview.experiment.write_results import write_results
from coview.model.loss_terms import check_extras, check_labels, check_negatives
from coview.model.topology import build_topology
from coview.plugins.lifecycle import EpochEnd, RunEnd, RunStart, Status, StepEnd
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe
from coview.track.collapse import CollapseWatch
from coview.track.progress import Progress
from coview.track.run_folder import RunFolder
from coview.track.telling import Telling
from coview.track.tracker import Tracker
from coview.train.accelerator import as_main_says, make_accelerator
from coview.train.check_batch_norm import batch_norm_notes
from coview.train.check_lengths import long_warm_ups
from coview.train.checkpoint import whole_checkpoints
from coview.train.device import Precision, choose_device, choose_precision
from coview.train.observer import Observer
from coview.train.pauses import Pauses
from coview.train.pretrain import Pretraining
from coview.train.stopping import StopRequest


@dataclass
class Session:
    """What one call of :func:`coview.run` does.

    Attributes:
        recipe: A single run's.
        out: The folder of runs.
        resume: Whether to go on with the latest run of this recipe, where there is one.
        registry: Where components come from.
        console: Where progress and notices go.
        shared: What other runs of its comparison need alike.
    """

    recipe: Recipe
    out: Path
    resume: bool
    registry: Registry
    console: Console
    shared: SharedWork | None = None
    _hooks: RunCalls = field(init=False, repr=False)

    def run(self) -> RunFolder:
        """Builds everything that can fail first, and only then makes a folder."""
        recipe, registry = self.recipe, self.registry
        device = choose_device(recipe)
        precision = choose_precision(recipe, device) if recipe.trains else "fp32"  # as everything is embedded
        accelerator = make_accelerator(device, precision)
        resumed = self._unfinished(accelerator)
        changes = changed_code(resumed, recipe, registry) if resumed is not None else []
        if resumed is not None and is_finished(resumed):
            self._complete(resumed, changes)
            return resumed
        if resumed is not None and changes:
            self._say(f"warning: {resumed.path} was started with other code: {'; '.join(changes)}")
        callbacks = build_callbacks(recipe, registry)
        splits = Splits(recipe, registry)
        dataset = splits.training
        if resumed is not None:
            check_data(resumed, dataset)
            check_start(resumed, recipe, registry)
        planned = plan_evaluators(splits)
        _check_purpose(splits, planned)
        build_evaluated(splits, planned)
        curves = plan_curves(splits)
        start, trains_on = start_weights(recipe, registry, resumed), accelerator.device if recipe.trains else None
        topology = build_topology(recipe, registry, dataset, trains_on=trains_on, start=start)
        check_labels(recipe, topology.loss, dataset)
        check_extras(recipe, topology.loss, dataset)
        check_negatives(recipe, dataset)
        shared = self.shared
        bank, encodings = (None, None) if shared is None else (shared.bank(recipe), shared.encodings)
        training = Pretraining(recipe, registry, dataset, topology, accelerator, bank, encodings)
        folder = resumed or self._new_folder(accelerator)
        if not accelerator.is_main_process:
            if resumed is not None:
                self._go_back(training, folder)
            with StopRequest() as stop:
                training.run(folder.checkpoints, stop, Observer(), following(curves, training, folder))
            store = self._store(folder, training, splits)
            store.ranks.follow(store.share_of)
            return folder
        try:
            with locked(folder, self._say):
                keep_start(folder, start)
                try:
                    self._hooks = RunCalls(registry, callbacks, self._say)
                    self._lead(folder, training, splits, planned, curves, precision, go_on=resumed is not None)
                except RuntimeError as error:
                    if training.step == 0:
                        self._explain(error)
                    raise
        except CoviewError:
            if resumed is None and training.step == 0:
                remove_folder(folder)
            raise
        return folder

    def _complete(self, folder: RunFolder, changes: Sequence[str]) -> None:
        """Makes what a finished run lacks: the report."""
        said = [f"{folder.path} was trained with other code: {'; '.join(changes)}"] if changes else []
        if change := self._changed_data(folder):
            said.append(change)
        if change := changed_start(folder, self.recipe, self.registry):
            said.append(change)
        if said:
            self._say("\n".join([*said, "  without --resume a new run starts"]))
        if folder.report.exists() or not PartialState().is_main_process:
            self._say(f"{folder.path} is finished: nothing is left to do")
            return
        self._say(f"{folder.path} is finished, and its report is missing: it is made again")
        with locked(folder, self._say):
            write_report_or_say_why(folder, self.console)

    def _changed_data(self, folder: RunFolder) -> str:
        """How the data of a finished run have changed; what is wrong with them is no matter to it."""
        splits = Splits(self.recipe, self.registry)
        try:
            return changed_data(folder, splits.training)
        except CoviewError as error:
            return f"it is not known whether the data are those of {folder.path}: {error.message}"

    def _lead(
        self,
        folder: RunFolder,
        training: Pretraining,
        splits: Splits,
        planned: list[Planned],
        curves: PlannedCurves,
        precision: Precision,
        *,
        go_on: bool,
    ) -> None:
        """What the main process does: train, evaluate, report, and tell about it."""
        self._hooks.of_run(folder.path, training.length.total_steps, self.recipe.tables, training.topology.student)
        if go_on:
            mend_recipe(folder, self.recipe, self.registry)
            set_aside_damaged(folder, self._say)
        step = self._go_back(training, folder) if go_on else 0
        self._hooks.load_state(training.state_of_observer)
        device, ranks = training.accelerator.device, training.accelerator.num_processes
        environment = None if step == 0 else read_environment(folder.environment)
        if environment is None:
            code = code_of(self.recipe, self.registry)
            environment = describe_environment(self.registry, code, device=device, precision=precision, ranks=ranks)
            environment["data"] = data_of(self.recipe, splits.training)
            if start := start_record(folder):
                environment["start"] = start
            environment["parameters"] = parameter_table(self.recipe, training.groups, training.peak_rate)
            write_environment(folder.environment, environment)
        elif recorded := environment.get("code"):
            environment["code"] = of_both(recorded, code_of(self.recipe, self.registry))
            write_environment(folder.environment, environment)
        if step == 0:
            computed = f"trained in {precision}" if self.recipe.trains else f"measured in {precision}"
            self._say(f"{self.recipe.name} on {environment['device']}, {computed}: {folder.path}")
        for warning in self.recipe.warnings:
            self._say(f"warning: {warning}")
        if "untrained" not in kinds_of(self.recipe, self.registry):
            self._say(f"untrained control: {untrained_in_words(self.recipe, self.registry)}")
        of_curves = curves.notes(training.length, training.topology.loss)
        of_norms = batch_norm_notes(self.recipe, training.topology.student)
        for note in (*splits.notes, *of_curves, *long_warm_ups(self.recipe, training.length), *of_norms):
            self._say(note)
        for plan in planned:
            if plan.skipped:
                self._say(f"{plan.table.use} is left out: {plan.skipped}")
        status: Status = "failed"
        try:
            with Tracker(folder, resume_step=step if go_on else None, say=self._say) as tracker:
                pauses = Curves(curves, training, folder, tracker, self._hooks, self._say).pauses()
                self._pretrain(folder, training, splits.training, tracker, pauses)
                self._evaluate(folder, training, splits, planned, tracker)
                if self.recipe.mask is not None:
                    Telling(self._say)(folder.hidden.name, lambda: self._show_predicted(training, splits, tracker))
            # the last that is written says that all the rest has been: a run that was killed before makes it again
            environment = read_environment(folder.environment) or environment
            environment["ended"] = now()
            if training.ended is not None:
                environment["stopped"] = asdict(training.ended)
            write_environment(folder.environment, environment)
            write_report_or_say_why(folder, self.console)
            environment["finished"] = now()
            write_environment(folder.environment, environment)
            status = "done" if training.ended is None else "stopped"
        except (Interrupted, KeyboardInterrupt):
            status = "interrupted"
            raise
        finally:
            self._hooks("coview_run_end", RunEnd(folder.path, status))

    def _pretrain(
        self, folder: RunFolder, training: Pretraining, dataset: Dataset, tracker: Tracker, pauses: Pauses
    ) -> None:
        length, batch_size = training.length, self.recipe.train.batch_size * self.recipe.train.accumulate
        start, telling = training.step, Telling(self._say)
        with StopRequest() as stop, self._hooks.stopping_by(stop.ask):
            self._hooks("coview_run_start", RunStart(folder.path, self.recipe.tables, length.total_steps, start))
            of_the_views: dict[str, float] = {}
            if start == 0:
                telling("unchanged_views", lambda: of_the_views.update(self._unchanged(dataset)))
            if training.is_over:
                return
            maker = build_view_maker(self.recipe, self.registry, preview=True)
            telling("a preview", lambda: show_views(self.recipe, self.registry, dataset, maker, tracker, start))
            if self.recipe.mask is not None:
                telling("a preview of the mask", lambda: self._show_masked(training, dataset, tracker))
            watch = CollapseWatch()
            with Progress(length.total_steps, length.steps_per_epoch, batch_size, start, self.console) as progress:

                def on_step(step: int, epoch: int, metrics: Mapping[str, float]) -> None:
                    telling("the progress", lambda: progress.step(step, metrics))
                    if metrics:
                        tracker.scalars(step, epoch, {**metrics, **of_the_views})
                        of_the_views.clear()
                        if warning := watch.update(step, metrics):
                            self._say(f"warning: {warning}")
                    self._hooks("coview_step_end", StepEnd(step, epoch, metrics))

                training.run(
                    folder.checkpoints,
                    stop,
                    Observer(
                        step=on_step,
                        epoch=lambda step, epoch: self._hooks("coview_epoch_end", EpochEnd(step, epoch)),
                        say=self._say,
                        skipped=lambda what, reason: self._say(f"skipped {what}: {reason}"),
                        gradients=self._hooks.before_step if self._hooks.looks_at_gradients else None,
                        ended=lambda: self._hooks.ended,
                        state=self._hooks.state,
                    ),
                    pauses,
                )

        if (ended := training.ended) is not None:
            self._say(f"stopped at step {ended.step:,} of {length.total_steps:,} by {ended.by}: {ended.reason}")

    def _evaluate(
        self, folder: RunFolder, training: Pretraining, splits: Splits, planned: list[Planned], tracker: Tracker
    ) -> None:
        store = self._store(folder, training, splits)
        with store.ranks.leading():
            own = len(splits(splits.own, "train"))  # of a mixture the first data set, whose rows come first
            store.skipped["train"] = tuple(
                skipped for skipped in training.skipped.samples.values() if skipped.row < own
            )
            found = evaluate_all(store, planned, self._hooks)
            write_results(store, planned, found, training.ended)
            if any(
                "test" in plan.evaluator.splits and plan.source == splits.own for plan in planned if not plan.skipped
            ):
                split = store.features(store.measured, ("test",))["test"]
                tracker.embedding("test", split, store.dataset("test").classes, training.step)
            tracker.hparams(given_numbers(self.recipe), reached_numbers(found.results))

    def _store(self, folder: RunFolder, training: Pretraining, splits: Splits) -> FeatureStore:
        """The features of the trained model, which all ranks embed. Each of them has one, at the same place."""
        return FeatureStore(
            self.recipe,
            self.registry,
            folder,
            training.topology,
            training.step,
            training.accelerator.device,
            self.console,
            splits,
            shared=self.shared,
            ranks=EmbeddingRanks.of_run(),
        )

    def _show_masked(self, training: Pretraining, dataset: Dataset, tracker: Tracker) -> None:
        shown = first_masked_views(self.recipe, self.registry, dataset, training.topology.student, training.order)
        tracker.masked_views("hidden", shown, training.step, for_report=False)

    def _show_predicted(self, training: Pretraining, splits: Splits, tracker: Tracker) -> None:
        shown = predicted_views(self.recipe, self.registry, splits, training.topology, training.order, training.step)
        tracker.masked_views("hidden and predicted", shown, training.step, for_report=True)

    def _explain(self, error: RuntimeError) -> None:
        """Says why the first step failed, where trying the recipe out does: an encoder whose pictures are too small.

        Raises:
            CoviewError: If trying out finds a mistake of the recipe's. Else it was a bug, and stays one.
        """
        try:
            try_out(self.recipe, self.registry)
        except CoviewError as mistake:
            raise mistake from error

    def _go_back(self, training: Pretraining, folder: RunFolder) -> int:
        """Resumes from the latest complete checkpoint, and returns its step; 0 if there is none."""
        damaged: list[str] = []
        checkpoint = next(whole_checkpoints(folder.checkpoints, damaged), None)
        for line in damaged:
            self._say(f"warning: a damaged checkpoint is skipped: {line}")
        if checkpoint is None:
            self._say(f"{folder.path} has no complete checkpoint: it starts again from the beginning")
            return 0
        training.resume(checkpoint)
        if training.accelerator.is_main_process:
            self._say(f"{folder.path} goes on from step {checkpoint.step:,} of {training.length.total_steps:,}")
        return checkpoint.step

    def _unfinished(self, accelerator: Accelerator) -> RunFolder | None:
        """The run that this one goes on with: one that another rank has just begun is none."""
        leads = self.resume and accelerator.is_main_process
        found = find_unfinished(self.out, self.recipe, self.registry) if leads else None
        path = as_main_says(accelerator, "" if found is None else str(found.path))
        return RunFolder(Path(path)) if path else None

    def _new_folder(self, accelerator: Accelerator) -> RunFolder:
        made = str(new_folder(self.out, self.recipe).path) if accelerator.is_main_process else ""
        return RunFolder(Path(as_main_says(accelerator, made)))

    def _unchanged(self, dataset: Dataset) -> dict[str, float]:
        """Says what does not suit the samples, and gives what ``metrics.jsonl`` keeps of it."""
        found = suits_samples(self.recipe, self.registry, dataset)
        for warning in found.warnings:
            self._say(f"warning: {warning}")
        return {} if found.unchanged is None else {"unchanged_views": found.unchanged}

    def _say(self, text: str) -> None:
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)


def write_report_or_say_why(folder: RunFolder, console: Console) -> None:
    """The report only shows what the run has found: without it the run is as good, and says what is missing."""
    try:
        write_report(folder)
    except Exception as error:
        expected = isinstance(error, CoviewError | OSError)
        why = str(error) if expected else traceback.format_exc()
        console.print(f"no report: {why}", highlight=False, markup=False, soft_wrap=True)


def _check_purpose(splits: Splits, planned: list[Planned]) -> None:
    """Raises :class:`CoviewError` if nothing would be trained, and nothing measured."""
    recipe = splits.recipe
    if recipe.trains or not all(plan.skipped for plan in planned):
        return
    reasons = "; ".join(f"{plan.table.use}: {plan.skipped}" for plan in planned) or "there is no evaluator"
    able = able_evaluators(splits)
    example = f"--set 'evaluate=[{{use=\"{able[0]}\"}}]'" if able else ""
    raise CoviewError(
        f'nothing is trained, and nothing can be measured on "{recipe.data.use}": {reasons}',
        hint=f"this data has what {', '.join(able)} need, such as {example}"
        if able
        else "name the classes, scores or judged pairs of the data in [data]",
    )
