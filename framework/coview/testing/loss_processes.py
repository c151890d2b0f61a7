"""What a loss promises to processes that train together: their rows, weighted, are one process with the whole batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from coview.testing.conformance import Problems
from coview.testing.loss_under_test import ONE_PAIR, TOLERANCE, LossUnderTest, situations
from coview.testing.outcome import Outcome, outcome_of
from coview.testing.processes import UnequalSumsError, shares_of


def shares_of_processes(tested: LossUnderTest) -> Problems:
    """What processes make of their rows, weighted by their number, is what one makes of the whole batch."""
    for case, views, build in situations(tested, ids=ONE_PAIR):
        whole = outcome_of(build(), views)
        of_own = tested.needs.rows == "own"
        for bounds in ((0, 2, 7), (0, 1, 3, 6, 7)):
            slices = [slice(first, last) for first, last in pairwise(bounds)]
            weights = [(part.stop - part.start) / len(views.ids) for part in slices]
            if of_own:
                joined = shares_of(build, views, bounds).outcome(weights)
            else:
                joined = _weighted([outcome_of(build(), replace(views, anchors=part)) for part in slices], weights)
            where, difference = whole.difference(joined)
            if difference > TOLERANCE:
                yield (
                    f"{case}: {len(slices)} processes do not make what one makes: the {where} differs by "
                    f"{difference:.1e}. {_OF_OWN_ROWS if of_own else _OF_ALL_ROWS}"
                )
                break


_OF_ALL_ROWS = "Compute the mean over the rows of views.anchors, or ignore them and compute the whole loss"
_OF_OWN_ROWS = (
    'It says Needs(rows="own"), so it sees one process\'s rows: return their mean, take what it needs of all rows by '
    'views.sum, views.log_sum_exp and views.count, or say rows="all"'
)


def _weighted(parts: Sequence[Outcome], weights: Sequence[float]) -> Outcome:
    """The weighted sum of what processes made."""
    return Outcome(
        sum((w * part.value for w, part in zip(weights, parts, strict=True)), torch.zeros(())),
        {
            name: torch.stack([w * part.gradients[name] for w, part in zip(weights, parts, strict=True)]).sum(0)
            for name in parts[0].gradients
        },
    )


def own_rows_alone(tested: LossUnderTest) -> Problems:
    """A loss that says ``Needs(rows="own")`` is in the same state on all processes, and takes one without samples."""
    for case, views, build in situations(tested, ids=ONE_PAIR):
        if tested.needs.rows != "own":
            return
        whole_loss = build()
        whole = outcome_of(whole_loss, views)
        bounds, weights = (0, 3, 3, 7), (3 / 7, 0.0, 4 / 7)
        try:
            shares = shares_of(build, views, bounds)
        except UnequalSumsError as error:
            yield f"{case}: beside a process that has no samples, {error}"
            continue
        where, difference = whole.difference(shares.outcome(weights))
        if difference > TOLERANCE:
            yield f"{case}: beside a process that has no samples, the {where} differs by {difference:.1e}"
        for loss in shares.losses:
            if name := _other_state(whole_loss, loss):
                yield (
                    f"{case}: after a step, {name} of a process differs from that of one process with the whole batch. "
                    "Make it of views.sum and views.count, which are over all processes"
                )
                break


def _other_state(one: Any, other: Any) -> str:
    """The first buffer in which two instances of a loss differ; "" if none does."""
    if not isinstance(one, nn.Module):
        return ""
    buffers = dict(other.named_buffers())
    for name, buffer in one.named_buffers():
        if not torch.allclose(buffer.double(), buffers[name].double(), atol=TOLERANCE, rtol=TOLERANCE):
            return name
    return ""
