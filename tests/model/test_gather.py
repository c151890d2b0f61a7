"""Promise 3: N ranks give the gradient of one process with the whole batch. Real processes, gloo, fp64."""

from __future__ import annotations

import pytest
import torch
import torch.distributed as dist
from torch import nn

from coview.data.batch import Batch
from coview.model.gather import average_gradients, rank_weight, views_of_all_ranks
from coview.model.tower import Projected


def row_wise_mean(views):
    """A loss that computes its anchors' rows only: a softmax over all rows of the other view."""
    a, b = views.student
    return nn.functional.cross_entropy(a[views.anchors] @ b.T, torch.arange(len(a))[views.anchors])


def whole_batch(views):
    """A loss of batch statistics."""
    z = views.student.flatten(0, 1)
    centred = z - z.mean(0)
    return ((centred.T @ centred / len(z) - torch.eye(z.shape[1])) ** 2).sum() + (
        views.ids % 3 * z[: len(views.ids), 0]
    ).sum()


def of_extras(views):
    """A loss that goes by what samples say of themselves: its own rows, weighted, against all of the same user."""
    z, user = views.student[0], views.extras["user"]
    alike = (user[views.anchors, None] == user).to(z.dtype)
    weighted = views.extras["weight"][views.anchors].to(z.dtype) * (alike @ z).pow(2).sum(-1)
    return weighted.mean() + (views.extras["box"].to(z.dtype).sum(1) * z[:, 1]).sum()


def problem():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 4)).double()
    return model, torch.randn(2, 12, 5, dtype=torch.float64), torch.arange(12) * 7


def gradient(loss, rows=slice(None), ranks=1):
    model, x_VND, ids = problem()
    extras = {
        "user": torch.arange(12) % 5,
        "weight": torch.arange(12) / 7,
        "box": torch.arange(24).view(12, 2),
    }
    batch = Batch({}, ids[rows], None, None, None, extras={name: value[rows] for name, value in extras.items()})
    z_VND = model(x_VND[:, rows])
    views = views_of_all_ranks(Projected(z_VND, z_VND), batch, ("a", "a"), global_views=2)
    (loss(views) * rank_weight(views)).backward()
    for parameter in model.parameters():
        if ranks > 1:  # what data-parallel training does
            dist.all_reduce(parameter.grad)
            parameter.grad /= ranks
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


def worker(rank, ranks, address, bounds, queue):
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{address}", rank=rank, world_size=ranks)
    rows = slice(bounds[rank], bounds[rank + 1])
    found = {name: gradient(LOSSES[name], rows, ranks).tolist() for name in queue[1]}
    if rank == 0:
        queue[0].put(found)
    dist.barrier()
    dist.destroy_process_group()


LOSSES = {"row_wise_mean": row_wise_mean, "whole_batch": whole_batch, "of_extras": of_extras}


@pytest.mark.usefixtures("forks")
@pytest.mark.parametrize("bounds", [[0, 6, 12], [0, 3, 6, 9, 12]], ids=["2 ranks", "4 ranks"])
def test_ranks_give_the_gradient_of_one_process(tmp_path, bounds):
    check(tmp_path, bounds, list(LOSSES))


def steps_with_absent_gradients(rank, ranks, address, answers):
    """Weights after a step with decay: of one that no rank has a gradient of, of one that rank 1 alone has, of both's;
    of one of another shape and type; and of a frozen one."""
    dist.init_process_group("gloo", init_method=f"file://{address}", rank=rank, world_size=ranks)
    _, one, both = parameters = [nn.Parameter(torch.ones(2)) for _ in range(3)]
    wide = nn.Parameter(torch.ones(2, 3, dtype=torch.float64))
    frozen = nn.Parameter(torch.ones(2), requires_grad=False)
    both.grad = torch.full((2,), float(rank))
    if rank == 1:
        one.grad = torch.full((2,), 3.0)
    wide.grad = torch.arange(6.0, dtype=torch.float64).view(2, 3) * (1 + rank)
    parameters.insert(1, wide)
    average_gradients([*parameters, frozen])
    torch.optim.SGD([*parameters, frozen], lr=0.1, weight_decay=0.5).step()
    if rank == 0:
        answers.put([parameter.tolist() for parameter in (*parameters, frozen)])
    dist.barrier()
    dist.destroy_process_group()


def test_what_has_no_gradient_on_any_rank_does_not_decay(answer_of_ranks):
    unused, wide, one, both, frozen = answer_of_ranks(steps_with_absent_gradients, 2)
    assert unused == frozen == [1.0, 1.0]
    assert one == pytest.approx([1 - 0.1 * (1.5 + 0.5)] * 2)
    assert both == pytest.approx([1 - 0.1 * (0.5 + 0.5)] * 2)
    assert wide[0] == pytest.approx([1 - 0.1 * (1.5 * k + 0.5) for k in (0, 1, 2)])
    assert wide[1] == pytest.approx([1 - 0.1 * (1.5 * k + 0.5) for k in (3, 4, 5)])


@pytest.mark.usefixtures("forks")
def test_ranks_may_own_different_numbers_of_rows(tmp_path):
    check(tmp_path, [0, 7, 12], list(LOSSES))


def check(tmp_path, bounds, names):
    context = torch.multiprocessing.get_context("forkserver")
    queue = context.SimpleQueue()
    ranks = len(bounds) - 1
    arguments = (ranks, str(tmp_path / "meeting"), bounds, (queue, names))
    torch.multiprocessing.start_processes(worker, arguments, ranks, join=False, start_method="forkserver")
    found = queue.get()
    torch.set_default_dtype(torch.float64)
    try:
        for name in names:
            expected = gradient(LOSSES[name])
            assert torch.allclose(torch.tensor(found[name]), expected, rtol=0, atol=1e-10), name
            assert expected.norm() > 1e-3
    finally:
        torch.set_default_dtype(torch.float32)
