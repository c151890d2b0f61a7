"""The parameters of a model by its parts, and what a run keeps of them on each card from step to step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from torch import nn

from coview.model.optimizer_over import copies_by_optimizer
from coview.model.queue import bytes_of_queue
from coview.model.topology import Topology
from coview.model.tower import Tower
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe


@dataclass(frozen=True)
class Part:
    """One part of a model.

    Attributes:
        name: Such as ``encoder``, or ``image encoder`` of several.
        parameters: How many numbers it has.
        trained: How many of them are trained.
    """

    name: str
    parameters: int
    trained: int


@dataclass(frozen=True)
class Kept:
    """Bytes on each card, from the first step to the last.

    Attributes:
        weights: Parameters and buffers of the student and of the loss.
        gradients: Of what is trained.
        buckets: A second copy of the gradients, which data-parallel training sends; 0 on a single card.
        optimizer: Its state.
        teacher: Parameters and buffers of the target branch.
        queue: Earlier projections.
    """

    weights: int
    gradients: int
    buckets: int
    optimizer: int
    teacher: int
    queue: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.weights + self.gradients + self.buckets + self.optimizer + self.teacher + self.queue


def parts_of(topology: Topology) -> list[Part]:
    """The parts of a model, without those that have no parameter. What is shared counts for the first that has it."""
    counted: set[int] = set()
    return [part for name, module in _modules(topology) if (part := _part(name, module, counted)).parameters]


def kept_of(recipe: Recipe, registry: Registry, topology: Topology, count: int) -> Kept:
    """What stays on each of so many cards. How much the optimiser keeps is asked of it, by a step on a small matrix."""
    student = nn.ModuleList([topology.student, topology.loss])
    gradients = sum(parameter.nbytes for parameter in student.parameters() if parameter.requires_grad)
    copies = copies_by_optimizer(recipe, registry) if recipe.optimizer is not None else 0.0
    target = [module for module in (topology.teacher, topology.outside, topology.target) if module is not None]
    return Kept(
        weights=_bytes_of([student]),
        gradients=gradients,
        buckets=gradients if count > 1 else 0,
        optimizer=round(gradients * copies),
        teacher=_bytes_of(target),
        queue=0 if recipe.queue is None else bytes_of_queue(recipe.queue.size, topology.student.width),
    )


def _modules(topology: Topology) -> Iterable[tuple[str, nn.Module]]:
    towers = topology.student.towers
    for modality, module in towers.items():
        tower = cast(Tower, module)
        before = f"{modality} " if len(towers) > 1 else ""
        for name, part in (
            ("encoder", tower.encoder),
            ("projector", tower.projector),
            ("predictor", tower.predictor),
            ("decoder", tower.decoder),
        ):
            if part is not None:
                yield before + name, part
    yield "other parts of the student", topology.student
    yield "loss", topology.loss
    for name, part in (("teacher", topology.teacher), ("teacher", topology.outside), ("target", topology.target)):
        if part is not None:
            yield name, part


def _part(name: str, module: nn.Module, counted: set[int]) -> Part:
    new = {id(parameter): parameter for parameter in module.parameters() if id(parameter) not in counted}
    counted.update(new)
    numbers = [(parameter.numel(), parameter.requires_grad) for parameter in new.values()]
    return Part(name, sum(n for n, _ in numbers), sum(n for n, trained in numbers if trained))


def _bytes_of(modules: Iterable[nn.Module]) -> int:
    tensors = {id(t): t for module in modules for t in (*module.parameters(), *module.buffers())}
    return sum(tensor.nbytes for tensor in tensors.values())
