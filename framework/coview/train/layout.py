"""The memory layout of batches: that of the weights."""

from __future__ import annotations

import torch
from torch import Tensor

from coview.data.batch import Batch, map_tensors


def laid_out(batch: Batch, *, channels_last: bool) -> Batch:
    """The batch with its pictures in the layout that convolutions are trained in."""
    if not channels_last:
        return batch

    def change(tensor: Tensor) -> Tensor:
        return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor

    return batch.with_inputs(map_tensors(change, batch.inputs), map_tensors(change, batch.local_inputs))
