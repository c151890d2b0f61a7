"""The rows of samples that lack a modality: where they are, what stands in their place, and which batches have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from coview.data.batch import Batch


def at_samples(rows_VKD: Tensor, at_K: np.ndarray, samples: int) -> Tensor:
    """``(V, N, D)``: the rows of the samples that have them, and zeros of the others.

    Args:
        rows_VKD: Of K samples.
        at_K: Which samples these are.
        samples: N.
    """
    V, _, D = rows_VKD.shape
    places = torch.from_numpy(at_K).to(rows_VKD.device)
    return rows_VKD.new_zeros(V, samples, D).index_copy(1, places, rows_VKD)


def zeros_of(module: nn.Module, samples: int, widths: Sequence[int]) -> list[Tensor]:
    """``(N, D)`` of zeros for each of some widths, which depend on all that is trained of a module.

    So its parameters get a gradient of zeros: the processes that train together expect one of each parameter from each
    of them.
    """
    parameters = list(module.parameters())
    like = parameters[0] if parameters else torch.zeros(())
    nothing = like.new_zeros(())
    for parameter in parameters:
        if parameter.requires_grad and parameter.numel():
            nothing = nothing + 0 * parameter.flatten()[0].to(like.dtype)
    return [nothing.expand(samples, width) for width in widths]


def present_here(present: Mapping[str, np.ndarray], samples: int, device: torch.device) -> Tensor:
    """``(N, M)`` int64 of a batch: 1 where a sample has a modality that some lack, in the order of ``present``."""
    has_MN = np.zeros((len(present), samples), dtype=np.int64)
    for has_N, at_K in zip(has_MN, present.values(), strict=True):
        has_N[at_K] = 1
    return torch.from_numpy(has_MN.T.copy()).to(device)


def present_in_views(has_NM: Tensor, lacked: Sequence[str], modalities: Sequence[str]) -> Tensor:
    """``(V, N)`` bool: whether a sample has the modality of a view.

    Args:
        has_NM: As of :func:`present_here`.
        lacked: The M modalities that some samples lack.
        modalities: Of each view.
    """
    all_N = torch.ones(len(has_NM), dtype=torch.bool, device=has_NM.device)
    columns = {name: has_NM[:, place] > 0 for place, name in enumerate(lacked)}
    return torch.stack([columns.get(name, all_N) for name in modalities])


def without_inputs(batch: Batch, modality: str) -> Batch:
    """The same samples, all of which lack a modality."""
    left = [
        {name: value for name, value in inputs.items() if name != modality}
        for inputs in (batch.inputs, batch.local_inputs)
    ]
    return batch.with_inputs(*left).with_present({**batch.present, modality: np.zeros(0, dtype=np.int64)})
