"""What came of a loss: its value, and its gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from coview.model.views import Views


@dataclass(frozen=True)
class Outcome:
    """A loss's value and gradients.

    Attributes:
        value: The scalar, detached.
        gradients: By ``student``, ``teacher`` and ``queue``, as far as they want one, and ``parameter NAME`` for those
            of the loss itself. Zero where the value does not depend on it.
    """

    value: Tensor
    gradients: Mapping[str, Tensor]

    def is_finite(self) -> bool:
        """Whether the value and all gradients are."""
        return all(bool(tensor.isfinite().all()) for tensor in (self.value, *self.gradients.values()))

    def difference(self, other: Outcome) -> tuple[str, float]:
        """Where another outcome differs most, and by how much, relative to the larger of 1 and its size."""
        pairs = {"value": (self.value, other.value)}
        pairs |= {f"gradient of {name}": (gradient, other.gradients[name]) for name, gradient in self.gradients.items()}
        found = {name: _relative(mine, theirs) for name, (mine, theirs) in pairs.items()}
        return max(found.items(), key=lambda item: item[1])


def _relative(mine: Tensor, theirs: Tensor) -> float:
    if mine.numel() == 0:
        return 0.0
    difference = float((mine - theirs).abs().max())
    size = max(1.0, float(mine.abs().max()))
    return difference / size if difference == difference else float("inf")


def scalar_of(output: Any) -> Tensor:
    """The scalar of what a loss returns: itself, or the "loss" of a mapping."""
    value: Tensor = output["loss"] if isinstance(output, Mapping) else output
    return value


def outcome_of(loss: Callable[[Views], Any], views: Views) -> Outcome:
    """Calls a loss and differentiates it.

    Args:
        loss: The loss; a module that changes when it is called changes.
        views: What it sees.
    """
    value = scalar_of(loss(views))
    leaves = {"student": views.student, "queue": views.queue}
    if views.teacher is not views.student:
        leaves["teacher"] = views.teacher
    wanted = {name: leaf for name, leaf in leaves.items() if leaf is not None and leaf.is_leaf and leaf.requires_grad}
    if isinstance(loss, nn.Module):
        wanted |= {f"parameter {name}": p for name, p in loss.named_parameters() if p.requires_grad}
    found: tuple[Tensor | None, ...] = (None,) * len(wanted)
    if value.requires_grad:
        # views with hidden tokens share the graph that makes these of the student's rows
        found = torch.autograd.grad(value, list(wanted.values()), allow_unused=True, retain_graph=True)
    gradients = {
        name: torch.zeros_like(tensor) if gradient is None else gradient.detach()
        for (name, tensor), gradient in zip(wanted.items(), found, strict=True)
    }
    return Outcome(value.detach(), gradients)
