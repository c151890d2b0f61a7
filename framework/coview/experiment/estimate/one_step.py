"""The arithmetic and the memory of one step of one process, without taking it.

The step is taken with fake tensors, which have shapes and no numbers, wherever the model can be called with them. Where
it asks for numbers (which tokens are hidden, which texts are padded), it is taken on the CPU with few samples, and what
many samples cost follows from how the cost grows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from coview.data.batch import Batch, map_tensors, some_samples
from coview.data.structured_batch import StructuredBatch
from coview.experiment.estimate.extrapolate import most_at, number_at, work_at
from coview.experiment.estimate.work import Operation, Recorder, Work
from coview.model.topology import Topology
from coview.recipe.recipe import Recipe
from coview.train.activations import blocks_of, checkpointed
from coview.train.part_size import rows_at_a_time

FEW = (2, 4)
"""Samples of the steps that are really taken, where it has to be."""


@dataclass(frozen=True)
class Step:
    """What one process does in a step, for all samples of its batch.

    Attributes:
        forward: The student's pass.
        backward: From the projections to the gradients; with what is computed again for it.
        teacher: The target branch's pass.
        activations: Bytes that the forward pass leaves for the backward pass.
        most: Bytes at the most, without what stays from step to step; with the gradients.
        samples: How many go through the student at a time.
        why_few: Why few samples were really encoded; empty where the whole batch was counted by its shapes.
    """

    forward: Work
    backward: Work
    teacher: Work
    activations: float
    most: float
    samples: int
    why_few: str

    @property
    def work(self) -> Work:
        """All of it."""
        return self.forward + self.backward + self.teacher


@dataclass(frozen=True)
class _Taken:
    """A step of some samples: its operations by pass, and its memory."""

    forward: list[Operation]
    backward: list[Operation]
    teacher: list[Operation]
    uncounted: set[str]
    activations: int
    lives: list[int]


def step_of(
    recipe: Recipe, build: Callable[[torch.device], Topology], batch: Batch, samples: int, *, half: bool
) -> Step:
    """What a step costs.

    Args:
        recipe: The recipe.
        build: Makes the model on a device; what is frozen for good has no gradient.
        batch: A few samples as the encoders get them, at least as many as are encoded where there are no shapes alone.
        samples: Of a process.
        half: Whether the forward pass is in 16 bits.
    """
    parts = 1 if (rows := rows_at_a_time(recipe.train)) is None else -(-samples // rows)
    at_a_time = -(-samples // parts)
    checkpoints = recipe.train.checkpoint_activations
    why = ""
    if recipe.mask is None:
        try:
            taken = _faked(build(torch.device("meta")), batch, at_a_time, half=half, checkpoints=checkpoints)
        except Exception as error:  # whatever a model raises that has no numbers to look at
            why = next(iter(str(error).splitlines()), type(error).__name__)
    else:
        why = "which tokens are hidden is known only of real samples"
    if why:
        forward, backward, teacher, activations, most = _from_few(
            build(torch.device("cpu")), batch, at_a_time, half=half, checkpoints=checkpoints
        )
    else:
        forward, backward, teacher = (
            Work.of(operations, taken.uncounted) for operations in (taken.forward, taken.backward, taken.teacher)
        )
        activations, most = float(taken.activations), float(max(taken.lives))
    if parts > 1:  # all are encoded once for the loss, and once more for the gradient
        forward, backward, teacher = forward.times(2 * parts), backward.times(parts), teacher.times(parts)
    return Step(forward, backward, teacher, activations, most, at_a_time, why)


def _faked(meta: Topology, batch: Batch, samples: int, *, half: bool, checkpoints: bool) -> _Taken:
    given = len(batch)

    def of_all(tensor: Tensor) -> Tensor:
        return torch.empty((tensor.shape[0] // given * samples, *tensor.shape[1:]), dtype=tensor.dtype)

    def refuse(structured: StructuredBatch) -> Any:
        raise TypeError(f"a {type(structured).__name__} is not a tensor")

    with FakeTensorMode(allow_non_fake_inputs=True):
        meta.to_empty(device="cpu")
        whole = replace(batch, present={}).map_tensors(of_all, refuse)
        return _take(meta, whole, half=half, checkpoints=checkpoints)


def _from_few(
    topology: Topology, batch: Batch, samples: int, *, half: bool, checkpoints: bool
) -> tuple[Work, Work, Work, float, float]:
    found = []
    for few in FEW:
        topology.zero_grad(set_to_none=True)
        some = topology.masked(some_samples(batch, slice(0, few)))
        found.append(_take(topology, some, half=half, checkpoints=checkpoints, only_shapes=True))
    works = []
    for name in ("forward", "backward", "teacher"):
        work = work_at(samples, FEW, [getattr(taken, name) for taken in found])
        work.uncounted |= found[-1].uncounted
        works.append(work)
    activations = number_at(samples, FEW, [taken.activations for taken in found])
    return works[0], works[1], works[2], activations, most_at(samples, FEW, [taken.lives for taken in found])


def _take(topology: Topology, batch: Batch, *, half: bool, checkpoints: bool, only_shapes: bool = False) -> _Taken:
    """One step, without a loss of projections: what one costs is counted by itself, with the rows of all cards."""
    topology.train()
    autocast = torch.autocast("cpu", dtype=torch.bfloat16, enabled=half)
    blocks = blocks_of(topology.student) if checkpoints else []
    recorder = Recorder(only_shapes=only_shapes)
    recorder.know([*topology.parameters(), *topology.buffers()])
    batch.map_tensors(lambda tensor: _noted(tensor, recorder))
    masks = (batch.masks, batch.local_masks) if batch.masks or batch.local_masks else ()
    of_some: Any = {"present": batch.present, "samples": len(batch)} if batch.present else {}
    with recorder:
        with autocast, torch.no_grad():
            taught = topology.taught(batch, 0)
        of_teacher = len(recorder.operations)
        with autocast, checkpointed(blocks):
            made = topology.student(batch.inputs, batch.local_inputs, *masks, **of_some)
        of_forward, activations = len(recorder.operations), recorder.live
        if made.hidden_KP is None:
            loss = torch.stack([part.float().sum() for part in made if part is not None]).sum()
        else:
            full = made._replace(**{name: part.float() for name, part in made._asdict().items() if part is not None})
            loss = topology.loss(topology.views(full, taught, batch, 0.0))["loss"]
        loss.backward()
    operations = recorder.operations
    return _Taken(
        operations[of_teacher:of_forward],
        operations[of_forward:],
        operations[:of_teacher],
        recorder.uncounted,
        activations,
        recorder.lives,
    )


def _noted(tensor: Tensor, recorder: Recorder) -> Tensor:
    recorder.know([tensor])
    return tensor


def inputs_bytes(batch: Batch, samples: int) -> int:
    """What the views of a batch take on the device, by a few of its samples."""
    found = 0

    def note(tensor: Tensor) -> Tensor:
        nonlocal found
        found += tensor.nbytes
        return tensor

    for inputs in (batch.inputs, batch.local_inputs, batch.taught_inputs):
        map_tensors(note, inputs)
    return round(found / len(batch) * samples)
