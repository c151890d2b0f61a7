"""All of a recipe's step that is counted or measured here, whatever card takes it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from coview.data.batch import Batch, some_samples
from coview.data.mixture import samples_of_epoch
from coview.errors import CoviewError
from coview.experiment.estimate.between_cards import BetweenCards, between_cards
from coview.experiment.estimate.extrapolate import work_at
from coview.experiment.estimate.loader_speed import LoaderSpeed, loader_speed
from coview.experiment.estimate.loss_work import OfLoss, work_of_loss
from coview.experiment.estimate.model_parts import Kept, Part, kept_of, parts_of
from coview.experiment.estimate.one_step import FEW, Step, inputs_bytes, step_of
from coview.experiment.estimate.work import Operation, Recorder, Work
from coview.experiment.splits import Splits
from coview.model.batch_augment import build_batch_augment
from coview.model.context import build_contexts
from coview.model.encodable import encodable
from coview.model.loss_terms import build_loss
from coview.model.meta_device import tried_out
from coview.model.parameter_groups import freeze_for_good, parameter_groups
from coview.model.topology import Topology, build_topology
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe


@dataclass(frozen=True)
class Counted:
    """What a step of one process is made of.

    Attributes:
        parts: The model's parameters.
        kept: What stays in memory from step to step.
        step: Student and teacher.
        loss: The loss, with the rows of all processes; None where the step has it.
        augment: What is augmented on the device, and finished there.
        update: The optimiser's step, and the teacher's, which read and write each number.
        inputs: Bytes of the views.
        loader: How fast a core makes them.
        between: What is sent.
        samples: Of a process, in one batch.
        accumulate: Batches of a step.
        samples_of_epoch: Of the training data that were read.
        smallest_batch: The fewest samples of a batch that the loss takes.
    """

    parts: list[Part]
    kept: Kept
    step: Step
    loss: OfLoss | None
    augment: Work
    update: Work
    inputs: int
    loader: LoaderSpeed
    between: BetweenCards
    samples: int
    accumulate: int
    samples_of_epoch: int
    smallest_batch: int

    @property
    def work(self) -> Work:
        """Of an optimiser step."""
        of_batch = self.step.work + self.augment
        if self.loss is not None:
            of_batch += self.loss.work
        return of_batch.times(self.accumulate) + self.update

    @property
    def kernels(self) -> float:
        """How many the CPU has to start in an optimiser step, without those that augment, which a GPU replays."""
        of_batch = self.step.work.kernels + (0.0 if self.loss is None else self.loss.work.kernels)
        return of_batch * self.accumulate + self.update.kernels

    @property
    def most(self) -> float:
        """Bytes at the most, counted: what stays, the views, and what the step needs besides."""
        with_loss = self.step.activations * (self.step.samples == self.samples)
        with_loss += 0.0 if self.loss is None else self.loss.most
        besides = max(self.step.most, with_loss)
        if self.accumulate > 1:  # gradients of the batches before
            besides += self.kept.gradients
        return self.kept.total - self.kept.gradients + self.inputs + max(besides, self.kept.gradients)


def counted(recipe: Recipe, registry: Registry, count: int, *, half: bool, seconds: float) -> Counted:
    """Counts what a step of a recipe needs, on each of so many processes.

    Args:
        recipe: A single run's, which trains.
        registry: Where its components come from.
        count: Processes.
        half: Whether the forward pass is in 16 bits.
        seconds: For how long views are made, to see how fast that is.

    Raises:
        CoviewError: If the data are not there, or the processes cannot share a batch.
    """
    batch_size = recipe.train.batch_size
    if batch_size % count:
        raise CoviewError(f"{recipe.where('train', 'batch_size')}: {batch_size:,} cannot be shared by {count} cards")
    samples = batch_size // count
    dataset = Splits(recipe, registry).training

    def build(device: torch.device) -> Topology:
        with device:
            made = build_topology(recipe, registry, dataset)
        loss = build_loss(recipe, registry, made.student.width, made.student.token_width, made.student.encoders)
        freeze_for_good(parameter_groups(recipe, registry, made.student, loss))
        return made

    topology, _ = tried_out(build)
    loader, batch = loader_speed(recipe, registry, dataset, topology, samples, seconds)
    few = some_samples(batch, slice(0, FEW[-1]))
    augmented, augment = _augmented(recipe, registry, topology, few, samples)
    contexts = build_contexts(recipe, registry, dataset, topology.student.encoder, torch.device("cpu"))
    ready = encodable(contexts.around(augmented), topology.student)
    kept = kept_of(recipe, registry, topology, count)
    parts = parts_of(topology)
    student = topology.student
    loss = build_loss(recipe, registry, student.width, student.token_width, student.encoders)
    of_loss = None if recipe.mask is not None else work_of_loss(recipe, topology, loss, batch_size, samples)
    between = between_cards(recipe, topology, kept.gradients, count)
    return Counted(
        parts=parts,
        kept=kept,
        step=step_of(recipe, build, ready, samples, half=half),  # the last: it may take the topology's numbers away
        loss=of_loss,
        augment=augment,
        update=_update(kept),
        inputs=inputs_bytes(ready, samples),
        loader=loader,
        between=between,
        samples=samples,
        accumulate=recipe.train.accumulate,
        samples_of_epoch=samples_of_epoch(dataset),
        smallest_batch=loss.smallest_batch,
    )


def _augmented(recipe: Recipe, registry: Registry, topology: Topology, few: Batch, samples: int) -> tuple[Batch, Work]:
    """The batch as it is after the steps on the device, and what these cost a batch of so many samples."""
    encoders = {name: topology.student.encoder(name) for name in recipe.modalities}
    augment = build_batch_augment(recipe, registry, encoders)
    found: list[list[Operation]] = []
    augmented = few
    for size in FEW:
        recorder = Recorder()
        with recorder:
            augmented = augment(some_samples(few, slice(0, size)))
        found.append(recorder.operations)
    return augmented, work_at(samples, FEW, found)


def _update(kept: Kept) -> Work:
    """Of what is trained, gradients are read, and weights and state are read and written; of a teacher, both sides."""
    optimizer = 3 * kept.gradients + 2 * kept.optimizer
    teacher = 3 * kept.teacher
    return Work.of([Operation("fp32", False, 0, moved) for moved in (optimizer, teacher) if moved])
