"""The training loop.

Everything random is a function of (seed, step) or (seed, epoch, sample, view), and everything scheduled of the step:
a run that goes on from a checkpoint ends with the weights of one that was never stopped.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from coview.data.batch import Batch, Skipped
from coview.data.dataset import Dataset
from coview.data.encoded_rows import Encodings
from coview.data.freed_memory import keep_freed_memory
from coview.data.loader_processes import LoaderFailedError
from coview.data.mixture import samples_of_epoch
from coview.data.sampler import build_order
from coview.data.skipped import SkippedSamples
from coview.data.view_bank import ViewBank
from coview.errors import AlteredModelError, CoviewError, Interrupted
from coview.evaluate.diagnostics import diagnose, false_negative_rate
from coview.model.collectives import several_ranks
from coview.model.context import build_contexts
from coview.model.gather import average_gradients
from coview.model.optimizer_over import copies_by_optimizer
from coview.model.parameter_groups import parameter_groups
from coview.model.topology import Topology
from coview.plugins.duration import Duration
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe
from coview.train.activations import check_activations
from coview.train.check_batch_norm import check_batch_norm
from coview.train.check_lengths import check_lengths
from coview.train.check_mixture import check_mixture
from coview.train.check_parts import check_parts
from coview.train.checkpoint import Checkpoint, save_checkpoint
from coview.train.checkpoint_due import CheckpointDue
from coview.train.clipping import clip_gradients
from coview.train.ending import Agreement, Ended, Next
from coview.train.freezing import Freezing
from coview.train.frozen_encoders import ENCODINGS, FrozenEncoders
from coview.train.gradient import Gradient, GradientOfBatch
from coview.train.learning_rates import LearningRates
from coview.train.length import Length
from coview.train.loading import parts_of_step, training_batches
from coview.train.loss_watch import LossWatch
from coview.train.model_on_device import model_on_device
from coview.train.observer import Observer
from coview.train.optimizer import build_optimizer
from coview.train.part_size import PartSize, later_state
from coview.train.pauses import Pauses
from coview.train.scheduled_values import ScheduledValues
from coview.train.sharding import prepared, state_like_parameters, whole_state
from coview.train.stopping import StopRequest


class Pretraining:
    """One training run.

    Args:
        recipe: The recipe.
        registry: Where its components come from.
        dataset: The training split.
        topology: Student, teacher, queue and loss.
        accelerator: From :func:`make_accelerator`.
        bank: Where batches of views are taken from, and put.
        encodings: A folder for the encodings of frozen encoders, of which other runs may have made some; absent: one
            beside the checkpoints, until the training is over.

    Attributes:
        order: Which samples are in which batch; None where nothing is trained.
        step: Optimiser steps taken.
        ended: Who has ended it before its last step; None if nobody has.
        state_of_observer: What the checkpoint that it goes on from has kept for who observes.
    """

    def __init__(
        self,
        recipe: Recipe,
        registry: Registry,
        dataset: Dataset,
        topology: Topology,
        accelerator: Accelerator,
        bank: ViewBank | None = None,
        encodings: Path | None = None,
    ) -> None:
        self.recipe = recipe
        self._bank = bank
        self._shared_encodings = encodings
        self.accelerator = accelerator
        self.length = Length.of(recipe, samples_of_epoch(dataset), topology.loss.smallest_batch)
        self.skipped = SkippedSamples(len(dataset), "train")
        self.topology = topology
        self._checkpoints, self._observer, self._pauses = Path(), Observer(), Pauses()
        self._watch = LossWatch(accelerator.device)
        self._model = model_on_device(recipe, topology, accelerator)
        self._trained = self._model.trained
        self._parts = recipe, registry, dataset, self._trained, accelerator
        self.order = build_order(recipe, registry, dataset) if recipe.trains else None
        if self.order is not None:
            check_lengths(recipe, self.length)
            check_mixture(recipe, dataset, self.order, self.length)
        parts = self._trained.student, self._trained.loss
        self.groups = parameter_groups(recipe, registry, *parts) if recipe.trains else ()
        self.optimizer: torch.optim.Optimizer | None = None
        self._rates: LearningRates | None = None
        self._values: ScheduledValues | None = None
        if recipe.trains:
            self.optimizer = build_optimizer(recipe, registry, self.groups)
            # of its rates as they are made: a checkpoint brings those of its step
            self._rates = LearningRates(recipe, registry, self.groups, self.optimizer, self.length)
            self._values = ScheduledValues(recipe, registry, self._trained, self.optimizer, self.groups, self.length)
        check_parts(recipe, registry, dataset, topology.student, accelerator.num_processes)
        check_batch_norm(recipe, topology.student, accelerator.num_processes)
        check_activations(recipe, topology.student)
        self._contexts = build_contexts(recipe, registry, dataset, self._trained.student.encoder, accelerator.device)
        every, log_every = Duration.parse(recipe.train.checkpoint_every), recipe.train.log_every
        self._due = CheckpointDue(every, self.length.steps_per_epoch, log_every, accelerator.device)
        self._agreed = Agreement(recipe.callback, recipe.train.log_every, accelerator.device)
        self.step = self._saved_at = 0
        self.ended: Ended | None = None
        self.state_of_observer = ""
        self._part_size = PartSize(recipe.train, accelerator.device)

    @property
    def is_over(self) -> bool:
        """Whether there is no step left to take."""
        return self.ended is not None or self.step >= self.length.total_steps

    @property
    def peak_rate(self) -> float:
        """The learning rate of parameters that no group names; 0 where nothing is trained."""
        return 0.0 if self._rates is None else self._rates.peak

    def resume(self, checkpoint: Checkpoint) -> None:
        """Goes back to where a checkpoint was written."""
        checkpoint.load_weights(self.topology)
        state = checkpoint.load_state()
        self._model.take_whole()
        if self.optimizer is not None:
            self.optimizer.load_state_dict(state_like_parameters(state["optimizer"], self.optimizer))
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        self.skipped.add(Skipped(*row) for row in state["skipped"])
        if state["step"] != checkpoint.step:
            raise CoviewError(f"{checkpoint.path} holds the state of step {state['step']:,}")
        self.step = self._saved_at = checkpoint.step
        self.ended = None if (ended := state.get("ended")) is None else Ended(**ended)
        self.state_of_observer = state.get("observer", "")
        self._part_size.resume(state.get("grad_cache"))

    def run(self, checkpoints: Path, stop: StopRequest, observer: Observer, pauses: Pauses | None = None) -> None:
        """Trains from the current step to the end, or until who observes asks for an end.

        Args:
            checkpoints: Where checkpoints go.
            stop: Looked at after every step.
            observer: What to tell.
            pauses: Where to pause for a measurement; absent: nowhere.

        Raises:
            Interrupted: If a stop was requested; a checkpoint has been written.
            CoviewError: If the loss is not finite, or too many samples cannot be read.
        """
        self._checkpoints, self._observer, self._pauses = checkpoints, observer, pauses or Pauses()
        if self.optimizer is None or self.is_over:
            return
        model = prepared(self.accelerator, self._trained.student)
        optimizer = self.accelerator.prepare_optimizer(self.optimizer)
        if self.recipe.train.compile:
            model.compile()
        train = self.recipe.train
        gradient = GradientOfBatch(
            self._trained,
            model,
            self.accelerator,
            rows=self._part_size.rows,
            batch_size=train.batch_size // self.accelerator.num_processes,
            seed=self.recipe.seed,
            channels_last=self._model.channels_last,
            compiled=train.compile,
            checkpoints=train.checkpoint_activations,
        )
        self._pauses.gather()
        self._freezing = Freezing(self._trained, self.groups, self.length.steps_per_epoch)
        self._trained.train()
        if self.accelerator.device.type == "cpu":
            keep_freed_memory()
        # closed here, whatever happens: loader processes that a traceback keeps alive would outlive the run
        with self._encodings_kept(stop) as encodings, closing(self._batches(encodings)) as batches:
            self._loop(gradient, optimizer, batches, stop)

    def _encodings_kept(self, stop: StopRequest) -> AbstractContextManager[Mapping[str, Encodings]]:
        """By modality what its frozen encoder makes of the samples, which the model takes meanwhile."""
        self._freezing.set_modes(self.step)
        if self._model.in_shards:  # nothing but a step of training takes the shards together
            return nullcontext({})
        train, steps = self.recipe.train, self.length.total_steps - self.step
        return FrozenEncoders(
            *self._parts,
            self._model.channels_last,
            self._shared_encodings or self._checkpoints.with_name(ENCODINGS),
            self._observer.say,
            lambda: stop.by is not None,
        ).kept(steps * train.accumulate * train.batch_size, lambda: self.is_over and self._shared_encodings is None)

    def _loop(
        self, gradient: GradientOfBatch, optimizer: Any, batches: Iterator[Batch | None], stop: StopRequest
    ) -> None:
        train = self.recipe.train
        if self.step == 0:
            self._pause(epoch=0)
        started, logged_at = time.perf_counter(), self.step
        while not self.is_over:
            logs = (self.step + 1) % train.log_every == 0 or self.step + 1 == self.length.total_steps
            found = self._take_step(gradient, optimizer, batches, logs=logs)
            self.step += 1
            epoch = self.length.epoch_of(self.step)
            before = time.perf_counter()
            # before anything of the step is told or written: no checkpoint is without the points of its steps
            is_best = self._pause(epoch)
            started += time.perf_counter() - before
            metrics: dict[str, float] = {}
            if logs and found is not None:
                self._watch.check(self.step, self._checkpoints)  # diagnostics of numbers that are none would raise
                metrics = self._metrics(found)
                now = time.perf_counter()
                rows = train.batch_size * train.accumulate
                metrics["samples_per_s"] = rows * (self.step - logged_at) / (now - started)
                started, logged_at = now, self.step
            if self.accelerator.is_main_process:
                self._tell(epoch, metrics)
            follows = self._follows(stop)
            if follows is Next.INTERRUPT:
                self._interrupt(stop)
            if follows is Next.END:
                self.ended = self._observer.ended() or Ended("another process", "", self.step)
            if is_best or self._due(self.step) or self.is_over:
                self._save()

    def _pause(self, epoch: int) -> bool:
        """Pauses if that is due; whether there is to be a checkpoint of the step."""
        if not self._pauses.due(self.step):
            return False
        if self.accelerator.device.type == "cuda":
            torch.cuda.synchronize()  # what is still computed is of training
        self._model.bring_whole_up_to_date()
        with self._checkpoint_first():
            return self._pauses(self.step, epoch, self._checkpoints)

    def _tell(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Calls the observer."""
        with self._checkpoint_first():
            self._observer.step(self.step, epoch, metrics)
            if self.length.ends_epoch(self.step):
                self._observer.epoch(self.step, epoch)

    @contextmanager
    def _checkpoint_first(self) -> Iterator[None]:
        """Who refuses to go on has his say once there is a checkpoint of the step."""
        try:
            yield
        except AlteredModelError:  # what was changed is in no checkpoint
            raise
        except CoviewError as error:
            if self.step == 0 or self._model.in_shards:  # no process has a checkpoint of its shards alone
                raise
            if self._saved_at != self.step:
                self._write()
            raise CoviewError(f"{error.message}; a checkpoint of step {self.step:,} is written", error.hint) from error

    def _take_step(
        self, gradient: GradientOfBatch, optimizer: Any, batches: Iterator[Batch | None], *, logs: bool
    ) -> Gradient | None:
        """One optimiser step; returns what its last batch that could be read came to."""
        train = self.recipe.train
        progress = self.step / self.length.total_steps
        assert self._rates is not None
        assert self._values is not None
        self._rates.set(self.step)
        self._values.set(self.step)
        self._freezing.set_modes(self.step)
        if self._trained.teacher is not None:
            self._trained.teacher.take_modes(self._trained.student)
        optimizer.zero_grad(set_to_none=True)
        found: Gradient | None = None
        for part, batch, last in parts_of_step(partial(self._next, batches), train.accumulate):
            if self._part_size.is_open:
                reserve = later_state(self._trained, self.optimizer, copies_by_optimizer(*self._parts[:2]))
                self._observer.say(self._part_size.note(gradient.divide(batch, reserve)))
            found = gradient.add(batch, self.step, part, 1 / train.accumulate, progress, synchronise=last)
            self._watch.note(found.outputs["loss"], self.step + 1)
            if self._trained.queue is not None:
                self._trained.queue.put(found.views)
        average_gradients([*self._trained.loss.parameters(), *self._model.not_in_shards])
        self._freezing.drop_gradients(self.step)
        clipped = clip_gradients(self.accelerator, optimizer, self._trained.parameters(), train)
        if self._observer.gradients is not None:
            if not clipped:
                self.accelerator.unscale_gradients(optimizer)
            self._observer.gradients(self.step + 1, self.length.epoch_of(self.step + 1), logs)
        optimizer.step()
        if self._trained.teacher is not None:
            self._trained.teacher.follow(self._trained.student, progress)
        return found

    def _next(self, batches: Iterator[Batch | None], part: int) -> Batch | None:
        try:
            return next(batches)
        except LoaderFailedError as error:
            if part or several_ranks() or self.step == 0:  # the step is half done, or others are in it
                raise
            if self._saved_at != self.step:
                self._save()
            raise LoaderFailedError(
                f"{error.message}; a checkpoint of step {self.step:,} is written", error.hint
            ) from error

    def _batches(self, encodings: Mapping[str, Encodings]) -> Generator[Batch | None, None, None]:
        """As :func:`training_batches`, from the current step on."""
        assert self.order is not None
        return training_batches(
            *self._parts,
            self.order,
            range(self.step, self.length.total_steps),
            contexts=self._contexts,
            skipped=self.skipped,
            say_skipped=self._observer.skipped,
            encodings=encodings,
            bank=self._bank,
        )

    def _metrics(self, found: Gradient) -> dict[str, float]:
        values = {name: float(value) for name, value in found.outputs.items()}
        if self._rates is not None:
            values["lr"] = self._rates.at(self.step - 1)
        if (teacher := self._trained.teacher) is not None:
            values["teacher_momentum"] = teacher.momentum_at((self.step - 1) / self.length.total_steps)
        if self._values is not None:
            values |= self._values.at(self.step - 1, self.length.epoch_of(self.step))
        if found.views.labels is not None:
            values["false_negative_rate"] = false_negative_rate(found.views.labels, found.views.ids)
        return values | diagnose(found.projections, found.views.modalities, found.present)

    def _follows(self, stop: StopRequest) -> Next:
        """What follows on the step: on all ranks the same."""
        mine = Next.ANOTHER_STEP
        if self._observer.ended() is not None and self.step < self.length.total_steps:
            mine = Next.END
        if stop.by is not None:
            mine = Next.INTERRUPT
        return self._agreed(mine, self.step, told=self.length.ends_epoch(self.step) or self._pauses.due(self.step))

    def _interrupt(self, stop: StopRequest) -> None:
        self._save()
        raise Interrupted(
            f"stopped by {stop.by or 'another process'} after step {self.step:,}; a checkpoint is written; "
            "go on with --resume"
        )

    def _save(self) -> None:
        self._model.bring_whole_up_to_date()
        self._write()
        self._saved_at = self.step
        self.accelerator.wait_for_everyone()

    def _write(self) -> None:
        """A checkpoint, if this is the main process; waits for no other."""
        self._watch.check(self.step, self._checkpoints)
        of_optimizer = None if self.optimizer is None else whole_state(self.optimizer.state_dict())
        if self.accelerator.is_main_process:
            scaler = self.accelerator.scaler
            state = {
                "optimizer": of_optimizer,
                "scaler": None if scaler is None else scaler.state_dict(),
                "skipped": [list(sample) for sample in self.skipped.samples.values()],
                "ended": None if self.ended is None else asdict(self.ended),
                "observer": self._observer.state(),
                "grad_cache": self._part_size.rows,
            }
            save_checkpoint(
                self._checkpoints,
                self.step,
                self._watch.mean(),
                self.topology,
                state,
                keep=self.recipe.train.keep,
                keep_best=self.recipe.train.keep_best,
                score=self._pauses.score(self.step),
            )
