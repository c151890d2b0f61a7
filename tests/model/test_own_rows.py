"""Losses that see their process's rows alone: nothing as wide as projections is gathered, and the result is the same."""

from __future__ import annotations

import pytest
import torch
import torch.distributed as dist
from torch import nn

import coview
from coview.data.batch import Batch
from coview.model.gather import average_gradients, average_outputs, rank_weight
from coview.model.loss_terms import LossTerms, Term
from coview.model.queue import Queue
from coview.model.topology import Taught, Topology
from coview.model.tower import Projected, Tower, Towers
from coview.plugins.registry import Registry

N, VIEWS, WIDTH, ENCODED = 10, 3, 64, 6
BOUNDS = {1: (0, N), 2: (0, 3, N), 4: (0, 1, 5, 8, N)}
PROTOTYPES = {"prototypes": 5}


def terms_of(registry: Registry, name: str) -> list[Term]:
    """The terms of a recipe, by a name."""

    def built(use, width=WIDTH, **parameters):
        asks = registry.parameters("loss", use).supplied
        torch.manual_seed(1)
        return registry.build("loss", use, supplied=dict.fromkeys(asks, width), **parameters)

    if name == "dino":
        return [Term("dino", 1.0, built("dino"))]
    if name == "dinov2":
        koleo = built("koleo", of="representations")
        return [Term("dino", 1.0, built("dino", centering="sinkhorn")), Term("koleo", 0.2, koleo)]
    if name == "prefixes":
        return [Term("negative_cosine", 1.0, built("negative_cosine"), prefixes=(WIDTH, 8))]
    if name == "with all":
        return [Term("sigreg", 1.0, built("sigreg", slices=8)), Term("nt_xent", 0.5, built("nt_xent"))]
    return [Term("swav", 1.0, built("swav", prototypes=5))]


class Row(nn.Linear):
    width = WIDTH


def topology(registry: Registry, name: str) -> tuple[Topology, nn.Module]:
    """And a network from which both representations and projections come."""
    torch.manual_seed(0)
    model = nn.ModuleList([nn.Linear(5, ENCODED), nn.Linear(ENCODED, WIDTH)]).double()
    towers = Towers({"a": Tower(nn.Identity(), Row(1, 1))}, ("a",) * VIEWS, 2, gives_representations=True)
    queue = Queue(16, WIDTH, views=[1]).double() if name == "swav with a queue" else None
    loss = LossTerms(terms_of(registry, name)).double()
    return Topology(towers, loss, queue=queue, stop_gradient=name != "swav with a queue"), model


def two_steps(registry: Registry, name: str, own: slice = slice(0, N)) -> dict[str, list]:
    """Gradients, outputs and state after two steps."""
    built, (encoder, projector) = topology(registry, name)
    parameters = [*encoder.parameters(), *projector.parameters(), *built.loss.parameters()]
    outputs = {}
    for step in range(2):
        generator = torch.Generator().manual_seed(step)
        x_VND = torch.randn(VIEWS, N, 5, generator=generator, dtype=torch.float64)[:, own]
        pooled_VND = encoder(x_VND)
        z_VND = projector(pooled_VND)
        batch = Batch({}, (torch.arange(N) * 3 + step)[own], (torch.arange(N) % 4)[own], None, None)
        views = built.views(Projected(z_VND, z_VND, pooled_VND), Taught(None, None), batch, 0.5)
        found = built.loss(views)
        (found["loss"] * rank_weight(views)).backward()
        outputs = {key: float(value) for key, value in average_outputs(found, views).items()}
        if built.queue is not None:
            built.queue.put(views)
    average_gradients(parameters)
    zeros = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    state = dict(built.loss.named_buffers()) | ({} if built.queue is None else dict(built.queue.named_buffers()))
    return {
        "gradients": torch.cat([gradient.flatten() for gradient in zeros]).tolist(),
        "outputs": list(outputs.values()),
        "names": list(outputs),
        **{key: buffer.tolist() for key, buffer in state.items()},
    }


NAMES = ("dino", "dinov2", "prefixes", "with all", "swav with a queue")


def on_ranks(rank: int, ranks: int, address: str, answers: torch.multiprocessing.SimpleQueue) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{address}", rank=rank, world_size=ranks)
    registry, own = coview.load_plugins(), slice(*BOUNDS[ranks][rank : rank + 2])
    gather, widths = dist.all_gather, []

    def noted(parts, tensor, *rest):
        widths.append(0 if tensor.ndim < 3 else tensor.shape[-1])
        return gather(parts, tensor, *rest)

    dist.all_gather = noted
    found = {}
    for name in NAMES:
        widths.clear()
        found[name] = two_steps(registry, name, own), sorted(set(widths))
    found["sums"] = sums(own)
    if rank == ranks - 1:
        answers.put(found)
    dist.barrier()
    dist.destroy_process_group()


def sums(own: slice) -> list[list[float]]:
    """Of numbers whose exponentials overflow, with gradient; the first sample's process has no other, or none."""
    x_ND = (torch.arange(N * 3, dtype=torch.float64).view(N, 3) * 40)[own][1 if own.start == 0 else 0 :]
    x_ND = x_ND.requires_grad_()
    views = coview.Views.of(x_ND[None].detach())
    views = coview.Views(**{**vars(views), "samples_of_all": N - 1})
    summed, logarithm = views.sum(x_ND), views.log_sum_exp(x_ND)
    (summed + 2 * logarithm).sum().backward()
    return [summed.tolist(), logarithm.tolist(), x_ND.grad[-1:].tolist()]


@pytest.mark.parametrize("ranks", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_ranks_of_different_numbers_of_rows_make_what_one_process_makes(registry, answer_of_ranks, ranks: int) -> None:
    answer = answer_of_ranks(on_ranks, ranks)
    for name in NAMES:
        expected, (found, _) = two_steps(registry, name), answer[name]
        assert found.keys() == expected.keys()
        assert found["names"] == expected["names"]
        assert max(map(abs, expected["gradients"])) > 1e-4
        for key in expected.keys() - {"names"}:
            one, many = torch.tensor(expected[key]).double(), torch.tensor(found[key]).double()
            if key in ("rows_QD", "ids_Q", "views_Q"):  # ranks put their rows in one after the other
                one, many = one.sort(0).values, many.sort(0).values
            tolerance = 1e-6 if key == "outputs" else 1e-10  # outputs are averaged in fp32
            torch.testing.assert_close(many, one, atol=tolerance, rtol=tolerance, msg=lambda t, at=(name, key): f"{at}: {t}")  # fmt: skip
    widths = {name: answer[name][1] for name in NAMES}
    assert widths == {
        "dino": [0],
        "dinov2": [0, ENCODED],
        "prefixes": [0],
        "with all": [0, WIDTH],
        "swav with a queue": [0, WIDTH],
    }
    x_ND = torch.arange(N * 3, dtype=torch.float64).view(N, 3)[1:] * 40
    summed, logarithm, gradient = answer["sums"]
    assert summed == x_ND.sum(0).tolist()
    assert logarithm == pytest.approx(x_ND.logsumexp(0).tolist())
    assert gradient[0] == pytest.approx((ranks * (1 + 2 * x_ND.softmax(0)[-1])).tolist())  # each rank has sent its own


def test_a_loss_that_sees_no_projections_gets_no_columns_of_them() -> None:
    seen = []

    def loss(views):
        seen.append(views)
        return views.representations.sum()

    loss.needs = coview.Needs(projections=False, representations=True)
    z_VND = torch.randn(3, 4, 5)
    LossTerms([Term("it", 1.0, loss)])(coview.Views.of(z_VND, global_views=2, representations=z_VND))
    assert seen[0].student.shape == (3, 4, 0)
    assert seen[0].teacher.shape == (2, 4, 0)
    assert seen[0].representations is z_VND


def test_hard_negatives_of_all_processes_are_not_among_own_rows() -> None:
    with pytest.raises(ValueError, match='negatives is "queue", which has those of all processes, and rows is "own"'):
        coview.Needs(queue="optional", negatives="queue", rows="own")
