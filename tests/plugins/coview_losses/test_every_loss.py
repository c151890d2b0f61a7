"""Every registered loss: the conformance kit, and real processes against one (design promise 3)."""

from __future__ import annotations

import pytest
import torch
import torch.distributed as dist
from torch import nn

import coview
from coview.data.batch import Batch
from coview.model.gather import average_gradients, rank_weight, views_of_all_ranks
from coview.model.loss_terms import LossTerms, Term
from coview.model.tower import Projected
from coview.testing import LOSS_CHECKS, check_loss, example_cases, example_views
from coview.testing.examples import WIDTH
from coview.testing.loss_under_test import LossUnderTest

REGISTRY = coview.load_plugins()
LOSSES = {component.qualified: component for component in REGISTRY.of_kind("loss") if not component.is_family}

STATISTICS = {"samples_of_equal_id": "it has no negatives: its statistics are of all samples"}
EXCEPTIONS = {
    "losses/bilinear_info_nce": {"views_come_together": "its similarity is learnt, and is no cosine"},
    "losses/barlow_twins": STATISTICS,
    "losses/mmcr": STATISTICS,
    "losses/msn": {"samples_of_equal_id": "its mean prediction is over all samples"},
    "losses/sigreg": STATISTICS,
    "losses/tico": STATISTICS,
    "losses/vicreg": STATISTICS,
    "losses/w_mse": STATISTICS,
    "losses/koleo": {"views_come_together": "it only spreads samples: a term beside another loss"},
}
"""By qualified name, the kit's checks that a loss is meant to fail, and why."""

BOUNDS = {2: (0, 3, 10), 4: (0, 1, 5, 8, 10)}
IDS = (7, 3, 5, 7, 11, 2, 9, 3, 7, 4)
"""Equal ids within a rank and across them."""


def test_there_are_losses() -> None:
    assert {"losses/nt_xent", "losses/triplet", "losses/clip"} <= set(LOSSES)
    assert set(EXCEPTIONS) <= set(LOSSES)


@pytest.mark.parametrize("check", LOSS_CHECKS)
@pytest.mark.parametrize("name", LOSSES)
def test_keeps_the_promise(name: str, check: str) -> None:
    except_for = {key: why for key, why in EXCEPTIONS.get(name, {}).items() if key == check}
    check_loss(LOSSES[name].load(), only=[check], except_for=except_for)


@pytest.mark.parametrize("name", LOSSES)
def test_its_page_says_everything(name: str) -> None:
    component = LOSSES[name]
    assert component.summary
    assert component.source
    for parameter in REGISTRY.parameters("loss", name).parameters:
        assert parameter.doc, f"{parameter.name} is not in the docstring"


def problems() -> dict[tuple[str, str], tuple[LossUnderTest, coview.Views]]:
    """Each loss, with each choice of its parameters, in each case."""
    return {
        (name + varied.described(), case): (varied, example_views(varied.needs, samples=10, ids=IDS, **options))
        for name, component in LOSSES.items()
        for varied in LossUnderTest(component.load()).choices()
        for case, options in example_cases(varied.needs).items()
    }


def gradients(tested: LossUnderTest, whole: coview.Views, own: slice = slice(None)) -> torch.Tensor:
    """Of the model's and the loss's parameters, in one vector, as the core makes it from the rows that it owns."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(WIDTH, 6), nn.Tanh(), nn.Linear(6, WIDTH)).double()
    target = nn.Linear(WIDTH, WIDTH).double().requires_grad_(False)
    loss = tested.fresh()
    terms = LossTerms([Term("it", 1.0, loss)])
    z_VND = model(whole.student.detach()[:, own])
    views = views_of_all_ranks(
        Projected(z_VND, z_VND, None if whole.representations is None else z_VND),
        Batch({}, whole.ids[own], None if whole.labels is None else whole.labels[own], None, None),
        whole.modalities,
        global_views=len(whole.teacher),
        teacher_GND=target(whole.teacher[:, own]) if whole.has_teacher else None,
        queue=None if whole.queue is None or whole.queue_ids is None else (target(whole.queue), whole.queue_ids),
        tokens=None if whole.tokens is None else own_tokens(whole, z_VND, own),
        progress=whole.progress,
        gathered=terms.gathered(queue=False),
    )
    (terms(views)["loss"] * rank_weight(views)).backward()
    parameters = [*model.parameters(), *(loss.parameters() if isinstance(loss, nn.Module) else ())]
    average_gradients(parameters)
    return torch.cat([torch.zeros_like(p).flatten() if p.grad is None else p.grad.flatten() for p in parameters])


def own_tokens(whole: coview.Views, z_VND: torch.Tensor, own: slice) -> coview.HiddenTokens:
    """Of the hidden tokens of all samples those of the own ones, unevenly many on each process."""
    assert whole.tokens is not None
    samples, mine = len(whole.ids), range(len(whole.ids))[own]
    row_K = whole.tokens.rows
    is_own_K = (row_K % samples >= mine.start) & (row_K % samples < mine.stop)
    row_K = row_K[is_own_K] // samples * len(mine) + row_K[is_own_K] % samples - mine.start
    views = len(z_VND) * len(mine)
    return coview.HiddenTokens(z_VND.flatten(0, 1)[row_K], whole.tokens.targets[is_own_K], row_K, views)


def rank_of_many(rank: int, ranks: int, address: str, answers: torch.multiprocessing.SimpleQueue) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{address}", rank=rank, world_size=ranks)
    own = slice(BOUNDS[ranks][rank], BOUNDS[ranks][rank + 1])
    found = {key: gradients(tested, whole, own).tolist() for key, (tested, whole) in problems().items()}
    if rank == 0:
        answers.put(found)
    dist.barrier()
    dist.destroy_process_group()


@pytest.mark.parametrize("ranks", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_ranks_make_the_gradient_of_one_process(answer_of_ranks, ranks: int) -> None:
    found = answer_of_ranks(rank_of_many, ranks)
    assert found.keys() == problems().keys()
    for key, (tested, whole) in problems().items():
        expected = gradients(tested, whole)
        assert expected.norm() > 1e-4, key
        torch.testing.assert_close(torch.tensor(found[key], dtype=torch.float64), expected, atol=1e-10, rtol=0, msg=lambda text, key=key: f"{key}: {text}")  # fmt: skip
