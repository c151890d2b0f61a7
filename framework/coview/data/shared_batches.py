"""Batches from loader processes, through memory that is used again.

PyTorch sends every batch through shared memory of its own, which the kernel has to find, clear, map and take back page
by page: on a virtual machine a quarter of the time that it takes to augment large pictures. Here each process keeps its
memory. A batch lies in a part of it for as long as any of its tensors is used, and then the next one may.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from uuid import uuid4
from weakref import WeakValueDictionary

import numpy as np
import torch
from torch import Tensor

from coview.data.batch import Batch

_SMALLEST = 2**16
"""In bytes: smaller tensors are left to PyTorch."""

_ALIGNED = 64
_IN_USE, _FREE = 1, 0


class Receiver:
    """Of a loader, in the process that uses it: ``received`` gives its batches for as long as this is kept."""

    def __init__(self) -> None:
        self.parts: dict[tuple[int, int], Tensor] = {}
        self.name = uuid4().hex
        _receivers[self.name] = self


_receivers: WeakValueDictionary[str, Receiver] = WeakValueDictionary()


@dataclass
class Sender:
    """In each loader process.

    Attributes:
        receiver: The name of the other end.
    """

    receiver: str
    _parts: list[Tensor] = field(default_factory=list)

    def send(self, batch: Batch) -> Batch | Sent:
        """The batch with its large tensors in shared memory, to be pickled."""
        large: list[Tensor] = []
        hollow = batch.map_tensors(lambda tensor: _hollow(tensor, large))
        if not large:
            return batch
        ends = _ends(large)
        number, part, is_new = self._part(ends[-1])
        part[0] = _IN_USE
        for tensor, end in zip(large, ends, strict=True):
            _view(part, torch.empty_like(tensor, device="meta"), end).copy_(tensor)
        return Sent(hollow, self.receiver, (os.getpid(), number), part if is_new else None)

    def _part(self, size: int) -> tuple[int, Tensor, bool]:
        for number, part in enumerate(self._parts):
            if part[0] == _FREE:
                if len(part) >= size:
                    return number, part, False
                self._parts[number] = _shared(size)
                return number, self._parts[number], True
        self._parts.append(_shared(size))
        return len(self._parts) - 1, self._parts[-1], True


@dataclass(frozen=True)
class Sent:
    """A batch on its way.

    Attributes:
        hollow: The batch, its large tensors without their data.
        receiver: The name of the other end.
        key: Process and number of the part that the data is in.
        part: That part, if it has not been sent before.
    """

    hollow: Batch
    receiver: str
    key: tuple[int, int]
    part: Tensor | None

    def pin_memory(self) -> Batch:
        """Called by PyTorch's loader."""
        return received(self).pin_memory()


def received(sent: Sent | Batch) -> Batch:
    """The batch, in the process that uses it."""
    if isinstance(sent, Batch):
        return sent
    parts = _receivers[sent.receiver].parts
    if sent.part is not None:
        parts[sent.key] = sent.part
    whole = torch.from_numpy(np.asarray(_Lease(parts[sent.key])))
    large: list[Tensor] = []
    sent.hollow.map_tensors(lambda tensor: _hollow(tensor, large))
    views = iter([_view(whole, tensor, end) for tensor, end in zip(large, _ends(large), strict=True)])
    return sent.hollow.map_tensors(lambda tensor: next(views) if tensor.is_meta else tensor)


class _Lease:
    """A part in use: NumPy's array over it, and so every tensor over that, keeps it from being freed."""

    def __init__(self, part: Tensor) -> None:
        self._part, self._process = part.numpy(), os.getpid()
        self.__array_interface__ = self._part.__array_interface__

    def __del__(self) -> None:
        if self._process == os.getpid():  # a fork of the process that uses it frees nothing
            self._part[0] = _FREE


def _hollow(tensor: Tensor, large: list[Tensor]) -> Tensor:
    if tensor.nbytes < _SMALLEST or tensor.device.type not in ("cpu", "meta"):
        return tensor
    large.append(tensor)
    return torch.empty_like(tensor, device="meta")


def _ends(tensors: list[Tensor]) -> list[int]:
    """Where each ends, one behind the other, the first byte kept for the mark of use."""
    ends, end = [], 0
    for tensor in tensors:
        start = -(-max(end, 1) // _ALIGNED) * _ALIGNED
        end = start + tensor.nbytes
        ends.append(end)
    return ends


def _view(part: Tensor, like: Tensor, end: int) -> Tensor:
    return part[end - like.nbytes : end].view(like.dtype).as_strided(like.shape, like.stride())


def _shared(size: int) -> Tensor:
    part: Tensor = torch.empty(size, dtype=torch.uint8).share_memory_()
    return part
