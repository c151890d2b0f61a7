"""What a run keeps in memory from its first step to its last, counted before any of it but the weights is made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

from coview.errors import CoviewError
from coview.model.collectives import several_ranks
from coview.model.loss_terms import LossTerms
from coview.model.queue import bytes_of_queue
from coview.model.tower import Tower, Towers
from coview.model.within_memory import ANY_MACHINE_HAS, free_memory, gigabytes
from coview.recipe.recipe import Recipe


class _Part(NamedTuple):
    where: str
    """The key of the recipe that asks for it."""
    kind: str
    size: int
    """In bytes."""


def check_training_memory(
    recipe: Recipe, student: Towers, loss: LossTerms, trains_on: torch.device | None, copies: float = 0.0
) -> None:
    """Refuses a run whose weights, gradients, optimiser state, teacher and queue do not fit together.

    What a batch needs on its way through the model is not among them: nobody knows that before.

    Args:
        recipe: The recipe.
        student: As it was made, on the CPU.
        loss: As it was made, on the CPU.
        trains_on: The device that trains; None where nothing is trained, which needs neither gradients nor a state.
        copies: How many numbers the optimiser keeps for each one that is trained.

    Raises:
        CoviewError: If they are more than what is free on the device, or on the CPU, where the model is made.
    """
    parts = list(_parts(recipe, student, loss, copies, trains=trains_on is not None))
    if sum(part.size for part in parts) < ANY_MACHINE_HAS:
        return
    of_model = [part for part in parts if part.kind in ("weights", "teacher", "queue")]
    made = sum(part.size for part in parts if part.kind == "weights")
    if trains_on is None or trains_on.type != "cuda":
        _check(parts, free_memory() + made, "")
    else:
        _check(of_model, free_memory() + made, " before it goes to the GPU")
        shares = dist.get_world_size() if recipe.train.shard and several_ranks() else 1
        of_device = [part if part.kind == "queue" else part._replace(size=part.size // shares) for part in parts]
        _check(of_device, torch.cuda.mem_get_info(trains_on)[0], f" on {trains_on}")


def _parts(recipe: Recipe, student: Towers, loss: LossTerms, copies: float, *, trains: bool) -> Iterator[_Part]:
    averages = recipe.teacher is not None and recipe.teacher.averages
    optimizer = "the optimizer" if recipe.optimizer is None else recipe.optimizer.use
    counted: set[int] = set()
    for where, module, followed in _modules(recipe, student, loss):
        weights = _bytes_of(module, counted)
        trained = _bytes_of(module, counted, only_trained=True) if trains else 0
        counted |= {id(tensor) for tensor in (*module.parameters(), *module.buffers())}
        yield _Part(where, "weights", weights)
        yield _Part(where, "gradients", trained)
        yield _Part(where, f"state of {optimizer}", round(trained * copies))
        yield _Part(where, "teacher", weights if averages and followed else 0)
    if recipe.queue is not None:
        yield _Part(recipe.where("queue", "size"), "queue", bytes_of_queue(recipe.queue.size, student.width))


def _modules(recipe: Recipe, student: Towers, loss: LossTerms) -> Iterator[tuple[str, nn.Module, bool]]:
    """The key of each part of the model, the part, and whether a teacher has one too."""
    for name, module in student.towers.items():
        tower = cast(Tower, module)
        inner = recipe.below(name)
        yield recipe.where("encoder", *inner, "use"), tower.encoder, True
        yield recipe.where("projector", *inner), tower.projector, True
        if tower.predictor is not None:
            yield recipe.where("predictor", *inner), tower.predictor, False
        if tower.decoder is not None:
            yield recipe.where("decoder"), tower.decoder, False
    yield recipe.where("loss"), loss, False


def _bytes_of(module: nn.Module, without: Collection[int], *, only_trained: bool = False) -> int:
    """Of the parameters and buffers, or of the parameters that are trained; nothing is counted twice."""
    tensors: list[Tensor] = [p for p in module.parameters() if p.requires_grad or not only_trained]
    tensors += [] if only_trained else list(module.buffers())
    return sum({id(t): t.nbytes for t in tensors if t.device.type == "cpu" and id(t) not in without}.values())


def _check(parts: Sequence[_Part], free: int, where: str) -> None:
    total = sum(part.size for part in parts)
    if total <= free:
        return
    kinds, keys = Counter[str](), Counter[str]()
    for part in parts:
        kinds[part.kind] += part.size
        keys[part.where] += part.size
    listed = ", ".join(f"{kind} {gigabytes(size)}" for kind, size in kinds.items() if size)
    ((key, largest),) = keys.most_common(1)
    raise CoviewError(
        f"the run needs {gigabytes(total)} of memory{where}, and {gigabytes(free)} are free: {listed}",
        hint=f"{key} takes {gigabytes(largest)} of it: make it smaller",
    )
