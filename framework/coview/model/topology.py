"""All that is trained or carried along: student, teacher, queue, loss and the augmentation of batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from coview.data.batch import Batch
from coview.data.dataset import Dataset
from coview.model.batch_augment import BatchAugment, build_batch_augment
from coview.model.encoder_hooks import fit_encoders
from coview.model.gather import views_of_all_ranks
from coview.model.loss_terms import LossTerms, build_loss
from coview.model.optimizer_over import copies_by_optimizer
from coview.model.parameter_groups import freeze_for_good, parameter_groups
from coview.model.projecting import Projecting
from coview.model.queue import Queue, build_queue
from coview.model.start import StartWeights, start_from
from coview.model.teacher import Teacher
from coview.model.tower import Projected, Tower, Towers, build_towers
from coview.model.training_memory import check_training_memory
from coview.model.views import Views
from coview.model.within_memory import WithinMemory
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe


class Topology(nn.Module):
    """Everything that has weights or buffers, as checkpoints hold it.

    Args:
        student: The towers that are trained.
        loss: The loss.
        teacher: The moving average of the student; absent: none.
        queue: Earlier projections; absent: none.
        stop_gradient: Whether the student's own projections, without gradient, are the target branch.
        augment: What becomes of batches on the device before they are encoded; absent: nothing.
    """

    def __init__(
        self,
        student: Towers,
        loss: LossTerms,
        teacher: Teacher | None = None,
        queue: Queue | None = None,
        *,
        stop_gradient: bool = False,
        augment: BatchAugment | None = None,
    ) -> None:
        super().__init__()
        self.student = student
        self.loss = loss
        self.teacher = teacher
        self.queue = queue
        self.stop_gradient = stop_gradient
        self.augment = augment

    def evaluated_encoder(self, modality: str) -> nn.Module:
        """The encoder that is evaluated, exported and embedded with: the student's unless the recipe says otherwise."""
        return self._evaluated.encoder(modality)

    def evaluated_projections(self, modality: str) -> Projecting:
        """The same encoder with its projector: its pooled output is the projections."""
        return Projecting(cast(Tower, self._evaluated.towers[modality]))

    @property
    def _evaluated(self) -> Towers:
        teacher = self.teacher
        return teacher.towers if teacher is not None and teacher.table.evaluate else self.student

    def augmented(self, batch: Batch) -> Batch:
        """The batch as the encoders get it, from what the loader gives."""
        return batch if self.augment is None else self.augment(batch)

    def views(self, student: Projected, teacher_GND: Tensor | None, batch: Batch, progress: float) -> Views:
        """What the loss sees.

        Args:
            student: What the student made of this rank's batch.
            teacher_GND: What the teacher made of it, where there is one.
            batch: This rank's.
            progress: Share of the training that is done.
        """
        global_views = self.student.global_views
        if self.stop_gradient:
            teacher_GND = student.projections[:global_views].detach()
        return views_of_all_ranks(
            student.predictions,
            batch,
            self.student.of_view,
            global_views=global_views,
            teacher_GND=teacher_GND,
            queue=None if self.queue is None else self.queue.content(),
            progress=progress,
        )


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
    student = build_towers(recipe, registry)
    started = start_from(student, start)  # before the teacher is copied
    if fit_to is not None:
        fit_encoders(student, fit_to, except_for=started)
    loss = build_loss(recipe, registry, student.width)
    copies = 0.0
    if trains_on is not None:
        freeze_for_good(parameter_groups(recipe, registry, student, loss))
        copies = copies_by_optimizer(recipe, registry)
    check_training_memory(recipe, student, loss, trains_on, copies)
    averages = recipe.teacher is not None and not recipe.teacher.stop_gradient
    return Topology(
        student,
        loss,
        Teacher(student, recipe.teacher, recipe.seed) if averages and recipe.teacher is not None else None,
        build_queue(recipe, student.width),
        stop_gradient=recipe.teacher is not None and recipe.teacher.stop_gradient,
        augment=build_batch_augment(recipe, registry, {name: student.encoder(name) for name in recipe.modalities}),
    )
