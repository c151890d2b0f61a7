"""The gradient of one batch: in one piece, or in parts whose memory is that of one part (gradient cache).

The cache (Gao et al., arXiv:2101.06983, section 3.2) encodes all parts without keeping anything but the projections,
takes the loss and its gradient by them, then encodes each part again and sends its share of that gradient through.
Dropout is the same both times, as it is seeded by (seed, step, rank, part).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from coview.data.batch import Batch, map_tensors, select_samples
from coview.model.buffers import buffers_kept
from coview.model.gather import average_outputs, rank_weight
from coview.model.topology import Topology
from coview.model.tower import Projected
from coview.model.views import Views

_HALF = (torch.float16, torch.bfloat16)
_OF_THE_TEACHER = 2**62
"""Makes of a step's seed one for what the teacher draws, such as dropout."""


@dataclass(frozen=True)
class Gradient:
    """What a batch's forward and backward pass came to.

    Attributes:
        outputs: Of the loss, without gradient: what the whole batch came to, the same on every rank.
        views: What the loss has seen.
        projections: This rank's ``z_VND``, without gradient.
    """

    outputs: Mapping[str, Tensor]
    views: Views
    projections: Tensor


class GradientOfBatch:
    """Adds up gradients in the parameters of a topology.

    Args:
        topology: Student, teacher, queue, loss.
        student: The student as prepared for this device and these ranks.
        accelerator: For autocast, scaling and synchronisation.
        rows: Samples encoded at a time; absent: all.
        batch_size: Of this rank, which fixes the number of parts.
        seed: The run's.
        channels_last: Whether pictures are laid out so.
    """

    def __init__(
        self,
        topology: Topology,
        student: nn.Module,
        accelerator: Accelerator,
        *,
        rows: int | None,
        batch_size: int,
        seed: int,
        channels_last: bool,
    ) -> None:
        self._topology = topology
        self._student = student
        self._accelerator = accelerator
        self._parts = 1 if rows is None else -(-batch_size // rows)
        self._seed = seed
        self._channels_last = channels_last

    def add(self, batch: Batch, step: int, part: int, share: float, progress: float, *, synchronise: bool) -> Gradient:
        """Adds ``share`` times the gradient of a batch.

        Args:
            batch: This rank's.
            step: Optimiser steps taken.
            part: Which batch of the step it is.
            share: Its share of the step.
            progress: Share of the training that is done.
            synchronise: Whether ranks average their gradients now: in the last batch of the step.
        """
        batch = self._laid_out(batch)
        seed = _mix(self._seed, step, self._accelerator.process_index, part)
        torch.manual_seed(seed ^ _OF_THE_TEACHER)
        teacher_GND = self._teacher(batch, step)
        if self._parts == 1:
            with self._synchronised(synchronise):
                student = self._forward(batch, seed, 0)
                views, outputs = self._loss(student, teacher_GND, batch, progress)
                self._backward(outputs["loss"] * (rank_weight(views) * share))
            return Gradient(average_outputs(outputs, views), views, student.projections.detach())
        return self._cached(batch, seed, teacher_GND, share, progress, synchronise)

    def _cached(
        self, batch: Batch, seed: int, teacher_GND: Tensor | None, share: float, progress: float, synchronise: bool
    ) -> Gradient:
        parts = [_samples(batch, rows) for rows in torch.arange(len(batch)).tensor_split(self._parts) if len(rows)]
        with torch.no_grad(), buffers_kept(self._student):
            encoded = [self._forward(part, seed, number) for number, part in enumerate(parts)]
        p_VND = torch.cat([part.predictions for part in encoded], 1).requires_grad_()
        predicts = self._topology.student.predicts
        z_VND = torch.cat([part.projections for part in encoded], 1) if predicts else p_VND
        views, outputs = self._loss(Projected(z_VND, p_VND), teacher_GND, batch, progress)
        self._backward(outputs["loss"] * (rank_weight(views) * share))
        assert p_VND.grad is not None, "the loss does not depend on the student"
        gradients = p_VND.grad.split([len(part) for part in parts], 1)
        for number, (part, gradient) in enumerate(zip(parts, gradients, strict=True)):
            with self._synchronised(synchronise and number == len(parts) - 1):
                torch.autograd.backward(self._forward(part, seed, number).predictions, gradient)
        return Gradient(average_outputs(outputs, views), views, z_VND.detach())

    def _forward(self, batch: Batch, seed: int, number: int) -> Projected:
        # dropout and the like draw from here: a function of the step and the part, whatever was drawn before
        torch.manual_seed((seed + number) % 2**63)
        z_VND, p_VND = map(_full, self._student(batch.inputs, batch.local_inputs))
        return Projected(z_VND, p_VND if self._topology.student.predicts else z_VND)

    def _teacher(self, batch: Batch, step: int) -> Tensor | None:
        teacher = self._topology.teacher
        if teacher is None:
            return None
        with self._accelerator.autocast():
            if self._parts == 1 or teacher.table.shuffle_groups > 1:
                return _full(teacher(batch.inputs, len(batch), step))
            rows = [rows for rows in torch.arange(len(batch)).tensor_split(self._parts) if len(rows)]
            parts = [_samples(batch, part) for part in rows]
            return _full(torch.cat([teacher(part.inputs, len(part), step) for part in parts], 1))

    def _loss(
        self, student: Projected, teacher_GND: Tensor | None, batch: Batch, progress: float
    ) -> tuple[Views, Mapping[str, Tensor]]:
        views = self._topology.views(student, teacher_GND, batch, progress)
        return views, self._topology.loss(views)

    def _backward(self, loss: Tensor) -> None:
        self._accelerator.backward(loss)

    def _synchronised(self, wanted: bool) -> AbstractContextManager[Any]:
        return nullcontext() if wanted else self._accelerator.no_sync(self._student)

    def _laid_out(self, batch: Batch) -> Batch:
        if not self._channels_last:
            return batch

        def change(tensor: Tensor) -> Tensor:
            return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor

        return batch.with_inputs(map_tensors(change, batch.inputs), map_tensors(change, batch.local_inputs))


def _samples(batch: Batch, rows: Tensor) -> Batch:
    """Some of the samples, as far as encoding goes."""
    first, last = int(rows[0]), int(rows[-1]) + 1
    inputs, local = (
        select_samples(part, len(batch), slice(first, last)) for part in (batch.inputs, batch.local_inputs)
    )
    return Batch(inputs, batch.ids[first:last], None, None, None, local)


def _full(z: Tensor) -> Tensor:
    return z.float() if z.dtype in _HALF else z


def _mix(*numbers: int) -> int:
    """One seed from several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]) >> 1
