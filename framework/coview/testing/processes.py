"""Processes that train together, as threads of this one: what a loss of its own rows makes among several.

What they exchange keeps its graph, so that one backward pass gives the gradient that the collectives of real processes
add up to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from itertools import pairwise
from threading import Condition
from typing import Any

import torch
from torch import Tensor, nn

from coview.model.hidden_tokens import HiddenTokens
from coview.model.views import Views
from coview.testing.outcome import Outcome, scalar_of

Combine = Callable[[Tensor], Tensor]


class UnequalSumsError(RuntimeError):
    """One process waits for a sum that another takes no part in."""


class Meeting:
    """Where processes exchange tensors: each gives its own, and all get the same.

    Args:
        processes: How many there are.
    """

    def __init__(self, processes: int) -> None:
        self._given: list[dict[int, Tensor]] = []
        self._taken = [0] * processes
        self._left: set[int] = set()
        self._changed = Condition()

    def exchange(self, process: int, tensor: Tensor, combine: Combine) -> Tensor:
        """What is made of the tensors of all processes, which are stacked.

        Raises:
            UnequalSumsError: If another process has left without giving its own.
        """
        with self._changed:
            number = self._taken[process]
            self._taken[process] += 1
            if number == len(self._given):
                self._given.append({})
            given = self._given[number]
            given[process] = tensor
            self._changed.notify_all()
            while len(given) < len(self._taken):
                if self._left - given.keys():
                    raise UnequalSumsError(
                        "one process takes a sum over processes that another does not take, and would wait for ever"
                    )
                self._changed.wait()
        return combine(torch.stack([given[other] for other in sorted(given)]))

    def leave(self, process: int) -> None:
        """Says that a process is done."""
        with self._changed:
            self._left.add(process)
            self._changed.notify_all()


@dataclass(frozen=True)
class ViewsOfProcess(Views):
    """Views of one process's samples, whose sums are over those that meet."""

    meeting: Meeting = field(kw_only=True)
    process: int = field(kw_only=True)

    def _sum_over_processes(self, total: Tensor) -> Tensor:
        return self.meeting.exchange(self.process, total, lambda x: x.sum(0))

    def _largest_over_processes(self, largest: Tensor) -> Tensor:
        return self.meeting.exchange(self.process, largest, lambda x: x.amax(0))


@dataclass(frozen=True)
class TokensOfProcess(HiddenTokens):
    """Hidden tokens of one process, whose sums are over those that meet."""

    meeting: Meeting = field(kw_only=True)
    process: int = field(kw_only=True)

    def sum(self, x: Tensor) -> Tensor:
        """The sum over the first dimension, over all processes."""
        return self.meeting.exchange(self.process, x.sum(0), lambda x: x.sum(0))


def views_of_process(views: Views, own: slice, meeting: Meeting, process: int) -> Views:
    """Some of the samples, as the process that owns them sees them."""
    samples = len(views.ids)
    student = views.student[:, own]
    teacher = student[: len(views.teacher)]
    if views.has_teacher:
        teacher = views.teacher[:, own]
    elif len(teacher) == len(student):
        teacher = student
    changed: dict[str, Any] = {
        "student": student,
        "teacher": teacher,
        "ids": views.ids[own],
        "anchors": slice(0, own.stop - own.start),
        "labels": None if views.labels is None else views.labels[own],
        "representations": None if views.representations is None else views.representations[:, own],
        "tokens": views.tokens and _tokens_of_process(views.tokens, samples, own, meeting, process),
        "extras": {name: of_sample[own] for name, of_sample in views.extras.items()},
        "negative_ids": None if views.negative_ids is None else views.negative_ids[own],
        "samples_of_all": samples,
    }
    kept = {each.name: getattr(views, each.name) for each in fields(Views)}
    return ViewsOfProcess(**(kept | changed), meeting=meeting, process=process)


def _tokens_of_process(
    tokens: HiddenTokens, samples: int, own: slice, meeting: Meeting, process: int
) -> TokensOfProcess:
    view_K, sample_K = tokens.rows // samples, tokens.rows % samples
    is_own_K = (sample_K >= own.start) & (sample_K < own.stop)
    mine = own.stop - own.start
    rows_K = (view_K * mine + sample_K - own.start)[is_own_K]
    of_own = tokens.predictions[is_own_K], tokens.targets[is_own_K], rows_K, tokens.views // samples * mine
    return TokensOfProcess(*of_own, meeting=meeting, process=process)


@dataclass(frozen=True)
class Shares:
    """What processes make of a batch.

    Attributes:
        values: The loss of each, with its graph; a process without samples has whatever it returns.
        losses: The instance of each.
        views: Of all samples.
        sizes: How many of them each process owns.
    """

    values: Sequence[Tensor]
    losses: Sequence[Any]
    views: Views
    sizes: Sequence[int]

    def outcome(self, weights: Sequence[float]) -> Outcome:
        """The weighted sum of the values, and its gradients; those of the loss's parameters are of all instances."""
        parts = [weight * value for weight, value in zip(weights, self.values, strict=True) if weight]
        total = torch.stack(parts).sum()
        leaves: dict[str, list[Tensor]] = {"student": [self.views.student]}
        for name in ("queue", "teacher"):
            tensor: Tensor | None = getattr(self.views, name)
            if tensor is not None and tensor is not self.views.student and tensor.is_leaf and tensor.requires_grad:
                leaves[name] = [tensor]
        for loss in self.losses:
            for name, parameter in loss.named_parameters() if isinstance(loss, nn.Module) else ():
                if parameter.requires_grad:
                    leaves.setdefault(f"parameter {name}", []).append(parameter)
        gradients = {}
        for name, tensors in leaves.items():
            found = torch.autograd.grad(total, tensors, allow_unused=True, retain_graph=True)
            gradients[name] = torch.stack(
                [
                    torch.zeros_like(tensor) if gradient is None else gradient
                    for tensor, gradient in zip(tensors, found, strict=True)
                ]
            ).sum(0)
        return Outcome(total.detach(), gradients)


def shares_of(build: Callable[[], Any], views: Views, bounds: Sequence[int]) -> Shares:
    """What a loss makes of a batch among several processes, each of which sees its own samples alone.

    Args:
        build: Makes a fresh loss, always the same.
        views: Of all samples.
        bounds: Where the samples of each process begin, and the end.

    Raises:
        UnequalSumsError: If a process takes fewer sums over processes than another.
    """
    slices = [slice(first, last) for first, last in pairwise(bounds)]
    meeting = Meeting(len(slices))
    losses = [build() for _ in slices]

    def work(process: int) -> Tensor:
        try:
            return scalar_of(losses[process](views_of_process(views, slices[process], meeting, process)))
        finally:
            meeting.leave(process)

    with ThreadPoolExecutor(len(slices)) as threads:
        working = [threads.submit(work, process) for process in range(len(slices))]
    # that another waits in vain is only what follows from the error of one
    errors = sorted(filter(None, (each.exception() for each in working)), key=lambda e: isinstance(e, UnequalSumsError))
    if errors:
        raise errors[0]
    values = [each.result() for each in working]
    return Shares(values, losses, views, [part.stop - part.start for part in slices])
