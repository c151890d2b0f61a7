"""Every registered loss on the device: the numbers of the CPU, and under autocast the loss's own precision."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor, nn

import coview
from coview.testing import example_cases, example_views
from coview.testing.loss_under_test import LossUnderTest
from coview.testing.outcome import outcome_of

pytestmark = pytest.mark.gpu

LOSSES = {
    component.qualified: component for component in coview.load_plugins().of_kind("loss") if not component.is_family
}

WAITS = {
    "losses/triplet": "how many rows are of an anchor's own sample decides how much there is to leave out",
    "losses/w_mse": "a decomposition tells whether it came to an end",
    "losses/mmcr": "singular values, likewise",
    "losses/sigreg": "its directions are drawn on the CPU, where they are the same for every device",
}


def on(device, views):
    """The views on a device, with gradients where they had them."""
    moved = {
        field.name: value.detach().to(device).requires_grad_(value.requires_grad)
        for field in fields(views)
        if isinstance(value := getattr(views, field.name), Tensor)
    }
    if views.teacher is views.student:
        moved["teacher"] = moved["student"]
    elif views.teacher.requires_grad:  # views of the student
        moved["teacher"] = moved["student"][: len(views.teacher)]
    return replace(views, **moved)


def cases():
    return {
        f"{name}{varied.described()}, {case}": (varied, options)
        for name, component in LOSSES.items()
        for varied in LossUnderTest(component.load()).choices()
        for case, options in example_cases(varied.needs).items()
    }


CASES = cases()


def fresh(varied, device, dtype=torch.float64):
    loss = varied.fresh(dtype=dtype)
    return loss.to(device) if isinstance(loss, nn.Module) else loss


@pytest.mark.parametrize("case", CASES)
def test_in_double_precision_it_is_the_cpus_number(case, gpu):
    varied, options = CASES[case]
    views = example_views(varied.needs, samples=40, **options)
    expected, found = outcome_of(fresh(varied, "cpu"), views), outcome_of(fresh(varied, gpu), on(gpu, views))
    found = replace(found, value=found.value.cpu(), gradients={k: v.cpu() for k, v in found.gradients.items()})
    where, difference = expected.difference(found)
    assert difference < 1e-9, where


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("case", CASES)
def test_under_autocast_it_computes_in_full_precision(case, half, gpu):
    varied, options = CASES[case]
    views = example_views(varied.needs, samples=40, dtype=torch.float32, **options)
    expected = outcome_of(fresh(varied, "cpu", torch.float32), views)
    with torch.autocast("cuda", dtype=half):
        found = outcome_of(fresh(varied, gpu, torch.float32), on(gpu, views))
    assert found.is_finite()
    assert found.value.dtype == torch.float32
    assert found.value.item() == pytest.approx(expected.value.item(), rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("name", sorted(set(LOSSES) - set(WAITS)))
def test_it_does_not_wait_for_the_device(name, gpu, no_waiting):
    tested = LossUnderTest(LOSSES[name].load())
    views = on(gpu, example_views(tested.needs, samples=40, dtype=torch.float32))
    loss = fresh(tested, gpu, torch.float32)
    outcome_of(loss, views)  # what it keeps from its first call may wait
    no_waiting(True)
    outcome_of(loss, views)
