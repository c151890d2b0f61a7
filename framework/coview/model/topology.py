"""All that is trained or carried along: student, teacher, queue, loss and the augmentation of batches."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from coview.data.batch import Batch, select_samples
from coview.data.dataset import Dataset
from coview.data.modality import Collates
from coview.model.batch_augment import BatchAugment, build_batch_augment
from coview.model.batch_norm import synchronise_batch_norm
from coview.model.encodable import encodable
from coview.model.encoder_hooks import fit_encoders
from coview.model.gather import views_of_all_ranks
from coview.model.hidden_tokens import HiddenTokens
from coview.model.lora import add_lora
from coview.model.loss_terms import LossTerms, build_loss
from coview.model.masking import Masking, build_masking
from coview.model.optimizer_over import copies_by_optimizer
from coview.model.outside_teacher import OutsideTeacher, build_outside_teacher
from coview.model.parameter_groups import freeze_for_good, parameter_groups
from coview.model.projecting import Projecting
from coview.model.queue import Queue, build_queue
from coview.model.start import StartWeights, start_from
from coview.model.target import Target
from coview.model.teacher import Teacher
from coview.model.token_task import Part, rows_of, targets_of_input
from coview.model.tower import Projected, Tower, Towers, build_towers_and_target
from coview.model.training_memory import check_training_memory
from coview.model.views import Views
from coview.model.within_memory import WithinMemory
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe


class Taught(NamedTuple):
    """What the target branch makes of a batch.

    Attributes:
        projections: ``z_GND``; None where the student's own are taken.
        targets: What hidden tokens have to be, ``(K, P)`` or ``(K,)`` classes; None where none is hidden.
    """

    projections: Tensor | None
    targets: Tensor | None


class Topology(nn.Module):
    """Everything that has weights or buffers, as checkpoints hold it.

    Args:
        student: The towers that are trained.
        loss: The loss.
        teacher: The moving average of the student; absent: none.
        outside: The teacher that has an encoder of its own; absent: none.
        queue: Earlier projections; absent: none.
        stop_gradient: Whether the student's own projections, without gradient, are the target branch.
        augment: What becomes of batches on the device before they are encoded; absent: nothing.
        masking: What hides tokens from the student; absent: it sees all.
        target: What has to be predicted of hidden tokens; absent: nothing.
    """

    def __init__(
        self,
        student: Towers,
        loss: LossTerms,
        teacher: Teacher | None = None,
        queue: Queue | None = None,
        *,
        outside: OutsideTeacher | None = None,
        stop_gradient: bool = False,
        augment: BatchAugment | None = None,
        masking: Masking | None = None,
        target: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.student = student
        self.loss = loss
        self.teacher = teacher
        self.outside = outside
        self.queue = queue
        self.stop_gradient = stop_gradient
        self.augment = augment
        self.masking = masking
        self.target = target

    def evaluated_tower(self, modality: str) -> Tower:
        """The tower whose encoder is evaluated: the student's unless the recipe says otherwise."""
        return cast(Tower, self._evaluated.towers[modality])

    def evaluated_encoder(self, modality: str) -> nn.Module:
        """The encoder that is evaluated, exported and embedded with: the student's unless the recipe says otherwise.

        With the layers of the projector that the recipe counts to it.
        """
        return self.evaluated_tower(modality).evaluated_encoder

    def evaluated_projections(self, modality: str) -> Projecting:
        """The same encoder with its projector: its pooled output is the projections."""
        tower = self.evaluated_tower(modality)
        return Projecting(tower.encoder, tower.projector)

    def evaluated(self, modality: str, *, projector: bool) -> nn.Module:
        """The encoder that is evaluated, with its projector or without."""
        return self.evaluated_projections(modality) if projector else self.evaluated_encoder(modality)

    def evaluated_copy(self) -> Topology:
        """A copy of the encoders that are evaluated, with their projectors and no loss.

        Whatever becomes of it (modes, statistics, the layout of weights), the training of this one goes on as it would.
        """
        of = self._evaluated
        copied: dict[int, Any] = {}  # what towers share, their copies share
        towers: dict[str, Tower] = {}
        for name, module in of.towers.items():
            tower = cast(Tower, module)
            parts = copy.deepcopy(tower.encoder, copied), copy.deepcopy(tower.projector, copied)
            towers[name] = Tower(*parts, evaluated_layers=tower.evaluated_layers)
        return Topology(Towers(towers, of.of_view, of.global_views), LossTerms(()))

    @property
    def _evaluated(self) -> Towers:
        teacher = self.teacher
        return teacher.towers if teacher is not None and teacher.table.evaluate else self.student

    def synchronise_batch_norm(self) -> None:
        """Has batch norm see the rows of all ranks, but for a teacher's that sees the groups of a shuffle."""
        synchronise_batch_norm(self.student)
        if self.teacher is not None and self.teacher.table.shuffle_groups == 1:
            synchronise_batch_norm(self.teacher)

    def collators_of_teacher(self) -> Mapping[str, Collates]:
        """What makes batches of the views for the teacher alone, by modality."""
        return {} if self.outside is None else self.outside.collators

    def take_encodings(self, modalities: Collection[str]) -> None:
        """From now on the batches of these modalities, and of no others, are what their encoders have made before."""
        models = [self.student, *([] if self.teacher is None else [self.teacher.towers])]
        for name, tower in ((name, tower) for towers in models for name, tower in towers.towers.items()):
            cast(Tower, tower).takes_encodings = name in modalities
        if self.augment is not None:
            self.augment.left_out = frozenset(modalities)

    def augmented(self, batch: Batch) -> Batch:
        """The batch as the encoders get it, from what the loader gives, but for contexts and masks."""
        return encodable(batch if self.augment is None else self.augment(batch), self.student)

    def masked(self, batch: Batch) -> Batch:
        """The batch with its masks, in the contexts that it has."""
        return batch if self.masking is None else self.masking.masked(batch)

    def taught(self, batch: Batch, step: int) -> Taught:
        """What the target branch makes of a batch, or of some of its samples.

        Args:
            batch: This rank's.
            step: Optimiser steps taken.
        """
        teacher, target = self.teacher, self.target
        if teacher is not None and target is not None and cast(Target, target).sees != "input":
            return Taught(*teacher.of_tokens(batch.inputs, batch.masks, target))
        projections = None if teacher is None else teacher(batch.inputs, len(batch), step, batch.present)
        if self.outside is not None:
            projections = self.outside(batch)
        return Taught(projections, None if target is None else self._of_input(target, batch))

    def _of_input(self, target: nn.Module, batch: Batch) -> Tensor | None:
        """What hidden tokens have to be, of a target that sees the input."""
        ((name, inputs),) = batch.inputs.items()
        parts = [Part(inputs, batch.masks.get(name))]
        if name in batch.local_inputs:
            parts.append(Part(batch.local_inputs[name], batch.local_masks.get(name)))
        return targets_of_input(target, self.student.encoder(name), parts)

    def views(
        self, student: Projected, taught: Taught, batch: Batch, progress: float, parts: Sequence[slice] | None = None
    ) -> Views:
        """What the loss sees.

        Args:
            student: What the student made of this rank's batch.
            taught: What the target branch made of it.
            batch: This rank's.
            progress: Share of the training that is done.
            parts: The samples that were encoded together, where these are not all: hidden tokens come in their order.
        """
        teacher_GND = taught.projections
        global_views = self.student.global_views
        if self.stop_gradient:
            teacher_GND = student.projections[:global_views].detach()
        return views_of_all_ranks(
            student,
            batch,
            self.student.of_view,
            global_views=global_views,
            teacher_GND=teacher_GND,
            queue=None if self.queue is None else self.queue.content(),
            queue_labels=None if self.queue is None else self.queue.labels(),
            queue_views=None if self.queue is None else self.queue.views(),
            tokens=self._tokens(student, taught, batch, parts or [slice(0, len(batch))]),
            progress=progress,
            roles=self.student.roles,
            gathered=self.loss.gathered(queue=self.queue is not None),
        )

    def _tokens(self, student: Projected, taught: Taught, batch: Batch, parts: Sequence[slice]) -> HiddenTokens | None:
        if student.hidden_KP is None or taught.targets is None:
            return None
        samples = len(batch)
        masks = [*batch.masks.values(), *batch.local_masks.values()]
        rows = []
        for part in parts:
            of_part = masks if len(parts) == 1 else [select_samples(mask, samples, part) for mask in masks]
            rows.append(rows_of(of_part, part.start, part.stop - part.start, samples))
        views = sum(len(mask.hidden_NT) for mask in masks)
        return HiddenTokens(student.hidden_KP, taught.targets, torch.cat(rows), views)


def build_topology(
    recipe: Recipe,
    registry: Registry,
    fit_to: Dataset | None = None,
    *,
    trains_on: torch.device | None = None,
    start: Mapping[str, StartWeights] | None = None,
) -> Topology:
    """The topology of a recipe, its weights initialised by its seed.

    Args:
        recipe: The recipe.
        registry: Where its components come from.
        fit_to: The training split, for encoders that fit a part of themselves to it; absent where a checkpoint will
            bring what they had found.
        trains_on: The device that is to train it, whose memory has to hold gradients and the optimiser's state
            besides; None where it is not trained.
        start: The weights that towers start from, by modality; absent too where a checkpoint will bring them.

    Raises:
        CoviewError: If a part cannot be built, parts do not fit each other, or the whole does not fit into memory.
    """
    with WithinMemory():
        return _build(recipe, registry, fit_to, trains_on, start or {})


def _build(
    recipe: Recipe,
    registry: Registry,
    fit_to: Dataset | None,
    trains_on: torch.device | None,
    start: Mapping[str, StartWeights],
) -> Topology:
    student, target = build_towers_and_target(recipe, registry)
    started = start_from(student, start)  # before the teacher is copied
    if fit_to is not None:
        fit_encoders(student, fit_to, except_for=started)
    add_lora(recipe, student)
    loss = build_loss(recipe, registry, student.width, student.token_width, student.encoders)
    copies = 0.0
    if trains_on is not None:
        freeze_for_good(parameter_groups(recipe, registry, student, loss))
        copies = copies_by_optimizer(recipe, registry)
    check_training_memory(recipe, student, loss, trains_on, copies)
    masking = build_masking(recipe, registry, student)
    teacher = None
    if recipe.teacher is not None and recipe.teacher.averages:
        decodes = target is not None and cast(Target, target).sees == "teacher_decoder"
        teacher = Teacher(student, recipe.teacher, recipe.seed, decodes=decodes)
    return Topology(
        student,
        loss,
        teacher,
        build_queue(recipe, student.width),
        outside=build_outside_teacher(recipe, registry, student, loss),
        stop_gradient=recipe.teacher is not None and recipe.teacher.stop_gradient,
        augment=build_batch_augment(recipe, registry, student.encoders),
        masking=masking,
        target=target,
    )
