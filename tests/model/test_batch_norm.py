"""Batch norm over two ranks is batch norm over the whole batch: real processes, gloo, fp64."""

import pytest
import torch
import torch.distributed as dist
from torch import nn

from coview import CoviewError
from coview.model.batch_norm import SyncedBatchNorm, synchronise_batch_norm

SHAPES = {"rows": (9, 3), "pictures": (9, 3, 4, 5)}


def network(shape):
    torch.manual_seed(1)
    norm = (nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d)(shape[1])
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2)
        norm.bias.normal_()
    return nn.Sequential(norm, nn.Tanh()).double()


def outcome(module, x):
    x = x.clone().requires_grad_()
    y = module(x)
    (y**3).sum().backward()
    return y.detach(), x.grad


def worker(rank, address, queue):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{address}", rank=rank, world_size=2)
    for name, shape in SHAPES.items():
        module = network(shape)
        synchronise_batch_norm(module)
        assert isinstance(module[0], SyncedBatchNorm)
        x = inputs(shape)
        y, gradient = outcome(module, x[:4] if rank == 0 else x[4:])
        for parameter in module.parameters():
            dist.all_reduce(parameter.grad)
        state = {key: value.tolist() for key, value in module.state_dict().items()}
        queue.put((name, rank, y.tolist(), gradient.tolist(), module[0].weight.grad.tolist(), state))
    dist.barrier()
    dist.destroy_process_group()


def inputs(shape):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2)) * 3 + 100


@pytest.mark.usefixtures("forks")
def test_two_ranks_normalise_as_one(tmp_path):
    context = torch.multiprocessing.get_context("forkserver")
    queue = context.SimpleQueue()
    arguments = (str(tmp_path / "meeting"), queue)
    torch.multiprocessing.start_processes(worker, arguments, 2, join=False, start_method="forkserver")
    found = [queue.get() for _ in range(4)]
    for name, shape in SHAPES.items():
        parts = sorted(part for part in found if part[0] == name)
        module = network(shape)
        y, gradient = outcome(module, inputs(shape))
        for column, expected in ((2, y), (3, gradient)):
            assert torch.allclose(torch.tensor([*parts[0][column], *parts[1][column]]).double(), expected, atol=1e-5)
            joined = torch.cat([torch.tensor(part[column], dtype=torch.float64) for part in parts])
            assert torch.allclose(joined, expected, rtol=0, atol=1e-10)
        assert torch.allclose(torch.tensor(parts[0][4]).double(), module[0].weight.grad, atol=1e-5)
        for key, expected in module.state_dict().items():
            for part in parts:
                assert torch.allclose(torch.tensor(part[5][key], dtype=torch.float64), expected.double(), atol=1e-9)


def test_a_kind_that_nobody_can_synchronise_is_refused():
    class Odd(nn.BatchNorm2d):
        pass

    with pytest.raises(CoviewError, match="Odd normalises each process's part"):
        synchronise_batch_norm(nn.Sequential(Odd(3)))
