"""Samples that lack a modality count for the terms that they have: against a loop over samples, on ranks, in parts."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import coview
import lacking
from coview.model.batch_norm import synchronise_batch_norm
from ranks import join_ranks, leave_ranks

LOSSES = tuple(lacking.every_loss(coview.load_plugins()))


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def differences(found, expected):
    """Of a parameter that only one of them has a gradient of, the gradient."""
    zero = torch.zeros(1)
    return {name: float((found.get(name, zero) - expected.get(name, zero)).abs().max()) for name in found | expected}


@pytest.mark.parametrize("use", LOSSES)
@pytest.mark.parametrize(("rows", "stops"), [(None, False), (4, False), (1, True)])
def test_every_loss_is_that_of_a_loop_over_samples(registry, use, rows, stops):
    by_hand, total, _ = lacking.by_loop(lacking.topology(registry, use, stops=stops))
    found, step = lacking.by_coview(lacking.topology(registry, use, stops=stops), rows=rows)
    assert float(step.outputs["loss"]) == pytest.approx(float(total), abs=1e-10)
    assert max(differences(found, by_hand).values()) < 1e-10
    assert max(float(gradient.abs().max()) for gradient in by_hand.values()) > 1e-6


def on_ranks(rank, ranks, address, answers):
    torch.set_default_dtype(torch.float64)
    join_ranks(rank, ranks, address)
    registry, answer = coview.load_plugins(), {}
    normalised = lacking.topology(registry, "info_nce", norm=nn.BatchNorm1d)
    synchronise_batch_norm(normalised.student)
    found, _ = lacking.by_coview(normalised, ranks, rank)
    answer["batch norm"] = {
        name: tensor.tolist() for name, tensor in (found | dict(normalised.named_buffers())).items()
    }
    for use in LOSSES:
        for rows in (None, 2):
            found, step = lacking.by_coview(lacking.topology(registry, use), ranks, rank, rows)
            outputs = {name: float(value) for name, value in step.outputs.items()}
            answer[use, rows] = {name: gradient.tolist() for name, gradient in found.items()}, outputs
    if rank == ranks - 1:
        answers.put(answer)
    leave_ranks()


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [2, 4])
def test_ranks_of_which_some_have_nothing_of_a_modality_give_the_same(registry, answer_of_ranks, ranks):
    answer = answer_of_ranks(on_ranks, ranks)
    normalised = lacking.topology(registry, "info_nce", norm=nn.BatchNorm1d)
    alone, _ = lacking.by_coview(normalised)
    alone |= dict(normalised.named_buffers())
    found = {name: torch.tensor(tensor) for name, tensor in answer["batch norm"].items()}
    assert found.keys() == alone.keys()
    assert max(differences(found, alone).values()) < 1e-10
    for use in LOSSES:
        by_hand, total, outputs = lacking.by_loop(lacking.topology(registry, use))
        for rows in (None, 2):
            found, logged = answer[use, rows]
            found = {name: torch.tensor(gradient) for name, gradient in found.items()}
            assert logged["loss"] == pytest.approx(float(total), rel=1e-6), (use, rows)  # logged in fp32
            assert max(differences(found, by_hand).values()) < 1e-10, (use, rows)
            for term, of_term in outputs.items():
                assert logged[f"loss/{term}"] == pytest.approx(of_term["loss"].item(), rel=1e-6), (use, term)
            assert logged["rows/b-c"] == float((lacking.has()["b"] & lacking.has()["c"]).sum())
