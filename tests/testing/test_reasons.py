"""Each check of the kit says why it matters and what helps, where it fails and nowhere else."""

from __future__ import annotations

import json

import pytest
import torch

from coview import testing
from coview.testing.conformance import ConformanceError
from coview.testing.reasons import REASONS

CHECKS = {
    name for kind in testing.__all__ if kind.endswith("_CHECKS") for name in getattr(testing, kind)
}  # of all kinds


def test_every_check_has_a_reason_and_every_reason_a_check():
    assert set(REASONS) == CHECKS
    for name, reason in REASONS.items():
        assert len(reason.why.split()) > 3, name
        assert len(reason.mend.split()) > 3, name


class Ordered(torch.nn.Module):
    """The first sample counts twice."""

    def forward(self, views):
        weight_N = torch.ones(views.student.shape[1], dtype=views.student.dtype)
        weight_N[0] = 2
        return (weight_N * (views.student[0] - views.student[1]).square().sum(-1)).mean()


def test_what_fails_says_why_it_matters_and_what_helps():
    with pytest.raises(ConformanceError) as raised:
        testing.check_loss(Ordered, only=["order_of_samples", "parameters_learn"])
    reason = REASONS["order_of_samples"]
    assert set(raised.value.reasons) == {"order_of_samples"}
    assert f"order_of_samples matters: {reason.why}\n  what helps: {reason.mend}" in str(raised.value)
    assert all(problem.startswith("order_of_samples: ") for problem in raised.value.problems)


def test_the_command_says_it_too(call, monkeypatch):
    monkeypatch.setattr("coview_losses.nt_xent.NTXent", Ordered)
    done = call("plugins", "check", "nt_xent")
    assert done.status == 3
    assert f"order_of_samples matters: {REASONS['order_of_samples'].why}\n  what helps: " in done.out
    (found,) = json.loads(call("plugins", "check", "nt_xent", "--json").out)
    assert found["reasons"]["order_of_samples"] == REASONS["order_of_samples"]._asdict()
