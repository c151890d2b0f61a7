"""Networks that cannot leave padding out: sounds of one length are encoded together, and others apart."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import pad


def by_length(
    waveform_NL: Tensor, lengths_N: Tensor | None, encode: Callable[[Tensor, Tensor], Tensor], *, frames: int = 0
) -> tuple[Tensor, Tensor | None]:
    """``tokens_NTD`` and ``mask_NT`` of sounds, each group of one length without padding.  L sample in time

    Args:
        waveform_NL: With padding behind the shorter ones.
        lengths_N: How many samples of each are real; None where all are known to be.
        encode: From ``(M, L)`` without padding, and which of the N rows these are, to ``(M, T, D)``.
        frames: The least T of what is returned.
    """
    if lengths_N is None or lengths_N.is_meta or bool((lengths_N == waveform_NL.shape[1]).all()):
        return encode(waveform_NL, torch.arange(len(waveform_NL), device=waveform_NL.device)), None
    groups = [(length, (lengths_N == length).nonzero()[:, 0]) for length in lengths_N.unique().tolist()]
    encoded = [encode(waveform_NL[rows_M, :length], rows_M) for length, rows_M in groups]
    frames = max(frames, *(tokens_MTD.shape[1] for tokens_MTD in encoded))
    order_N = torch.cat([rows_M for _, rows_M in groups]).argsort()
    tokens_NTD = torch.cat([pad(tokens, (0, 0, 0, frames - tokens.shape[1])) for tokens in encoded])[order_N]
    counts_N = torch.cat(
        [rows_M.new_full((len(rows_M),), tokens.shape[1]) for (_, rows_M), tokens in zip(groups, encoded, strict=True)]
    )
    return tokens_NTD, torch.arange(frames, device=counts_N.device) < counts_N[order_N][:, None]
