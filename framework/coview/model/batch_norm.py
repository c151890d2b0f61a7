"""Batch norm over the batch of all ranks, so that their number changes nothing."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from coview.errors import CoviewError
from coview.model.collectives import sum_over_ranks


class SyncedBatchNorm(_BatchNorm):
    """Batch norm whose statistics are those of all ranks, on any device.

    ``nn.SyncBatchNorm`` needs a GPU. Mean and variance are taken one after the other, and not from the sum of squares,
    which would lose digits.
    """

    def _check_input_dim(self, input: Tensor) -> None:  # any number of dimensions from two on
        if input.ndim < 2:
            raise ValueError(f"batch norm needs at least 2 dimensions, got {input.ndim}")

    def forward(self, input: Tensor) -> Tensor:
        """Normalises ``(N, C, …)``."""
        if not (self.training or self.running_mean is None):
            return super().forward(input)
        self._check_input_dim(input)
        axes = [axis for axis in range(input.ndim) if axis != 1]
        shape = [1, -1, *[1] * (input.ndim - 2)]
        x = input if input.dtype == torch.float64 else input.float()
        count = sum_over_ranks(torch.tensor(float(x.numel() // x.shape[1]), device=x.device, dtype=x.dtype))
        mean_C = sum_over_ranks(x.sum(axes)) / count
        centred = x - mean_C.view(shape)
        variance_C = sum_over_ranks(centred.square().sum(axes)) / count
        self._note(mean_C.detach(), variance_C.detach(), count)
        y: Tensor = centred * (variance_C + self.eps).rsqrt().view(shape)
        if self.weight is not None:
            y = y * self.weight.view(shape) + self.bias.view(shape)
        return y.to(input.dtype)

    @torch.no_grad()
    def _note(self, mean_C: Tensor, variance_C: Tensor, count: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean_C.to(self.running_mean.dtype), share)
        unbiased_C = variance_C * (count / (count - 1).clamp_min(1))
        self.running_var.lerp_(unbiased_C.to(self.running_var.dtype), share)


def has_batch_norm(module: nn.Module) -> bool:
    """Whether a part of a module normalises by the batch while it trains."""
    return any(isinstance(part, _BatchNorm) for part in module.modules())


def synchronise_batch_norm(module: nn.Module) -> None:
    """Replaces every batch norm inside of a module by one over all ranks, with the same parameters and buffers.

    Raises:
        CoviewError: If one is of a kind that nobody has written such a form of.
    """
    for name, child in module.named_children():
        if isinstance(child, SyncedBatchNorm | nn.SyncBatchNorm):
            continue
        if isinstance(child, _BatchNorm):
            setattr(module, name, _synchronised(child))
        else:
            synchronise_batch_norm(child)


def _synchronised(norm: _BatchNorm) -> nn.Module:
    on_gpu = next(iter(norm.state_dict().values()), torch.empty(0)).is_cuda
    if type(norm) in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d):
        if on_gpu:
            return cast(nn.Module, nn.SyncBatchNorm.convert_sync_batchnorm(norm))
        synced = SyncedBatchNorm(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        for name, tensor in {**norm._parameters, **norm._buffers}.items():
            setattr(synced, name, tensor)
        return synced.train(norm.training)
    if on_gpu and type(norm).__module__.startswith("timm."):  # with an activation inside, which torch would drop
        convert: Any = __import__("timm.layers", fromlist=["convert_sync_batchnorm"]).convert_sync_batchnorm
        return cast(nn.Module, convert(norm))
    raise CoviewError(
        f"{type(norm).__name__} normalises each process's part of the batch by itself: several processes would train "
        "another model than one",
        hint="take one process, or an encoder with another normalisation",
    )
