"""Batches from loader processes, through memory that is used again.

PyTorch sends every batch through shared memory of its own, which the kernel has to find, clear, map and take back page
by page: on a virtual machine a quarter of the time that it takes to augment large pictures. Here each process keeps its
memory. A batch lies in a part of it for as long as any of its tensors is used, and then the next one may.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import uuid4
from weakref import WeakValueDictionary

import numpy as np
import torch
from torch import Tensor

from coview.data.batch import Batch
from coview.data.loader_processes import LoaderFailedError

_ALIGNED = 64
_IN_USE, _FREE = 1, 0
_NOTHING = torch.empty(0)


class Layout(NamedTuple):
    """A tensor without its data.

    Attributes:
        dtype, shape, stride: As the tensor has them.
        start: Its first byte in the part.
        end: The one behind its last.
    """

    dtype: torch.dtype
    shape: torch.Size
    stride: tuple[int, ...]
    start: int
    end: int

    def within(self, part: Tensor) -> Tensor:
        """The tensor in a part."""
        return part[self.start : self.end].view(self.dtype).as_strided(self.shape, self.stride)


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

    def send(self, batch: Batch) -> Sent:
        """The batch with its tensors in shared memory, to be pickled.

        Raises:
            LoaderFailedError: If there is no room in it.
        """
        tensors: list[Tensor] = []

        def take(tensor: Tensor) -> Tensor:
            tensors.append(tensor)
            return _NOTHING

        hollow = batch.map_tensors(take)
        layouts = _side_by_side(tensors)
        number, part, is_new = self._part(layouts[-1].end)
        part[0] = _IN_USE
        for tensor, layout in zip(tensors, layouts, strict=True):
            layout.within(part).copy_(tensor)
        return Sent(hollow, layouts, self.receiver, (os.getpid(), number), part if is_new else None)

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
        hollow: The batch without its tensors.
        layouts: These, in the order of ``Batch.map_tensors``.
        receiver: The name of the other end.
        key: Process and number of the part that the data is in.
        part: That part, if it has not been sent before.
    """

    hollow: Batch
    layouts: list[Layout]
    receiver: str
    key: tuple[int, int]
    part: Tensor | None

    def pin_memory(self) -> Batch:
        """Called by PyTorch's loader."""
        return received(self).pin_memory()


def received(sent: Sent) -> Batch:
    """The batch, in the process that uses it."""
    parts = _receivers[sent.receiver].parts
    if sent.part is not None:
        parts[sent.key] = sent.part
    whole = torch.from_numpy(np.asarray(_Lease(parts[sent.key])))
    tensors = iter([layout.within(whole) for layout in sent.layouts])
    return sent.hollow.map_tensors(lambda nothing: next(tensors))


class _Lease:
    """A part in use: NumPy's array over it, and so every tensor over that, keeps it from being freed."""

    def __init__(self, part: Tensor) -> None:
        self._part, self._process = part.numpy(), os.getpid()
        self.__array_interface__ = self._part.__array_interface__

    def __del__(self) -> None:
        if self._process == os.getpid():  # a fork of the process that uses it frees nothing
            self._part[0] = _FREE


def _side_by_side(tensors: list[Tensor]) -> list[Layout]:
    """Each behind the other, the first behind the byte that marks the part as used."""
    layouts, end = [], 1
    for tensor in tensors:
        start = -(-end // _ALIGNED) * _ALIGNED
        end = start + tensor.nbytes
        layouts.append(Layout(tensor.dtype, tensor.shape, torch.empty_like(tensor, device="meta").stride(), start, end))
    return layouts


def _shared(size: int) -> Tensor:
    try:
        part: Tensor = torch.empty(size, dtype=torch.uint8).share_memory_()
    except (RuntimeError, OSError) as error:  # the former is what PyTorch makes of the latter
        raise LoaderFailedError(
            f"a loader process cannot have {size / 2**20:,.1f} MiB of shared memory for a batch: {error}",
            hint="look at df /dev/shm (docker run --shm-size makes it larger), or take fewer loader processes: "
            "--set data.workers=0 needs none of it, and changes no result; go on with --resume",
        ) from error
    return part
