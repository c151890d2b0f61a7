"""A model of which each rank holds a share of every parameter, of its gradient and of the optimiser's state (FSDP2).

``fully_shard`` of PyTorch is called here, and not by accelerate: a state of accelerate's for several CPUs never becomes
one of FSDP, and its preparation replaces the parameters of an optimiser that coview has made already.

The model of the run stays whole, on the CPU; its copy is in shards, and is trained. Whoever looks at weights (a
checkpoint, a measurement, the evaluation) looks at the whole one, which takes over the weights before. So names,
checkpoints and exports are those of a run without shards.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, cast, runtime_checkable

import torch
import torch.distributed as dist
from accelerate import Accelerator
from torch import Tensor, nn

from coview.model.topology import Topology
from coview.train.activations import blocks_of


@runtime_checkable
class InShards(Protocol):
    """A tensor of which each rank holds a share: PyTorch's DTensor, whose module takes a second to import."""

    device_mesh: Any
    placements: Any

    def full_tensor(self) -> Tensor:
        """The whole; every rank has to ask for it."""

    def to_local(self) -> Tensor:
        """This rank's share."""


@runtime_checkable
class ShardedModule(Protocol):
    """A module that ``fully_shard`` has changed."""

    def set_requires_gradient_sync(self, requires_gradient_sync: bool) -> None:
        """Whether ranks average gradients in the next backward pass."""


class Shards:
    """The copy of a model that is trained, in shards.

    Args:
        whole: The run's, on the CPU.
        device: Of this rank.

    Attributes:
        trained: The copy.
        in_shards: True.
        channels_last: False, because FSDP takes contiguous parameters alone.
    """

    in_shards, channels_last = True, False

    def __init__(self, whole: Topology, device: torch.device) -> None:
        # one and the same in both: these are in no shards
        shared = [part for part in (whole.loss, whole.queue, whole.outside) if part is not None]
        self.trained = copy.deepcopy(whole, {id(part): part for part in shared}).to(device)
        mesh = _mesh(device)
        of_towers = [(whole.student, self.trained.student)]
        if whole.teacher is not None and self.trained.teacher is not None:
            of_towers.append((whole.teacher.towers, self.trained.teacher.towers))
        for _, towers in of_towers:
            _shard(towers, blocks_of(towers), mesh)
        self._pairs: list[tuple[nn.Module, nn.Module]] = [*of_towers]
        if whole.augment is not None and self.trained.augment is not None:
            self._pairs.append((whole.augment, self.trained.augment))

    @property
    def not_in_shards(self) -> list[nn.Parameter]:
        """The student's parameters that every rank has whole: single numbers, whose gradients nobody else averages."""
        return [parameter for parameter in self.trained.student.parameters() if not isinstance(parameter, InShards)]

    @torch.no_grad()
    def bring_whole_up_to_date(self) -> None:
        """Has the whole model take over the weights and all other state; every rank has to call it."""
        for own, theirs in self._pairs:
            state = theirs.state_dict()
            own.load_state_dict(
                {name: _whole(value) if isinstance(value, Tensor) else value for name, value in state.items()}
            )

    @torch.no_grad()
    def take_whole(self) -> None:
        """Takes over the weights and all other state of the whole model."""
        for theirs, own in self._pairs:
            parameters = dict(own.named_parameters(remove_duplicate=False))
            state = theirs.state_dict()
            own.load_state_dict(
                {name: _like(parameters[name], value) if name in parameters else value for name, value in state.items()}
            )


def _whole(tensor: Tensor | InShards) -> Tensor:
    """A tensor, of which ranks hold shares, on every rank; every rank has to ask for it."""
    return tensor.full_tensor() if isinstance(tensor, InShards) else tensor


def whole_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """An optimiser's ``state_dict`` with whole tensors, those of shards on the CPU; every rank has to ask for it."""
    of_parameters = {
        number: {
            name: _whole(value).cpu() if isinstance(value, InShards) else value for name, value in of_parameter.items()
        }
        for number, of_parameter in state["state"].items()
    }
    return {**state, "state": of_parameters}


def state_like_parameters(state: Mapping[str, Any], optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """An optimiser's ``state_dict``, its tensors of a parameter's shape shared out and laid out as the parameter is.

    PyTorch's fused optimisers read the numbers of both in the order in which they lie in memory, and do not see that a
    checkpoint of a model in channels last has them in another order.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    numbers = [number for group in state["param_groups"] for number in group["params"]]
    of_parameters = dict(state["state"])
    for number, parameter in zip(numbers, parameters, strict=True):
        if number in of_parameters:
            of_parameters[number] = {
                name: _like(parameter, value) if isinstance(value, Tensor) and value.shape == parameter.shape else value
                for name, value in of_parameters[number].items()
            }
    return {**state, "state": of_parameters}


def norms(gradients: Iterable[Tensor]) -> list[Tensor]:
    """The norm of each gradient, of which each rank may hold a share."""
    there = list(gradients)
    if not there:
        return []
    found = torch._foreach_norm(local(there))
    norm_K = torch.stack([norm if norm.dtype == torch.float64 else norm.float() for norm in found])
    in_shards_K = torch.tensor([isinstance(gradient, InShards) for gradient in there], device=norm_K.device)
    if not in_shards_K.any():
        return list(norm_K)
    square_K = norm_K.square().where(in_shards_K, 0)
    dist.all_reduce(square_K)
    return list(square_K.sqrt().where(in_shards_K, norm_K))


def local(tensors: Iterable[Tensor]) -> list[Tensor]:
    """This rank's share of each, whose memory is the tensor's own."""
    return [tensor.to_local() if isinstance(tensor, InShards) else tensor for tensor in tensors]


def prepared(accelerator: Accelerator, student: nn.Module) -> nn.Module:
    """The student for this device and these ranks, in its precision; one in shards averages gradients by itself."""
    if isinstance(student, ShardedModule):
        return cast(nn.Module, accelerator.prepare_model(student, device_placement=False, evaluation_mode=True))
    return cast(nn.Module, accelerator.prepare_model(student))


def without_averaging(accelerator: Accelerator, student: nn.Module) -> AbstractContextManager[Any]:
    """While backward passes only add up gradients on each rank."""
    if isinstance(student, ShardedModule):
        return _without_sync(student)
    return cast(AbstractContextManager[Any], accelerator.no_sync(student))


@contextmanager
def _without_sync(student: ShardedModule) -> Iterator[None]:
    student.set_requires_gradient_sync(False)
    try:
        yield
    finally:
        student.set_requires_gradient_sync(True)


def _mesh(device: torch.device) -> Any:
    from torch.distributed.device_mesh import init_device_mesh  # it takes half a second

    return init_device_mesh(device.type, (dist.get_world_size(),))


def _shard(module: nn.Module, blocks: Iterable[nn.Module], mesh: Any) -> None:
    from torch.distributed.fsdp import fully_shard  # it takes a second, and most runs need none of it

    single = {parameter for parameter in module.parameters() if parameter.ndim == 0}  # these cannot be shared out
    for block in blocks:
        fully_shard(block, mesh=mesh, ignored_params=single)
    # given back after each forward pass: a teacher has no backward pass in which they would be
    fully_shard(module, mesh=mesh, ignored_params=single, reshard_after_forward=True)


def _like(parameter: Tensor, value: Tensor) -> Tensor:
    """A whole tensor, shared out and laid out as a parameter is."""
    if not isinstance(parameter, InShards):
        if value.stride() == parameter.stride():
            return value
        return torch.empty_like(parameter, dtype=value.dtype, device=value.device).copy_(value)
    from torch.distributed.tensor import distribute_tensor  # it takes a second

    on_device = value.to(parameter.device).contiguous()
    shared: Tensor = distribute_tensor(on_device, parameter.device_mesh, parameter.placements, src_data_rank=None)
    return shared
