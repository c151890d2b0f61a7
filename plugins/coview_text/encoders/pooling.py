"""One vector of a text's tokens, without its padding."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Pooling = Literal["mean", "cls", "last"]

IN_WORDS = {
    "mean": "mask = batch['attention_mask'].unsqueeze(-1)\nfeatures = (tokens * mask).sum(1) / mask.sum(1)",
    "cls": "features = tokens[:, 0]",
    "last": "features = tokens[range(len(tokens)), batch['attention_mask'].sum(1) - 1]",
}
"""The same in lines of Python, of ``tokens`` and ``batch``, for an exported folder."""


def pool(tokens_NTD: Tensor, mask_NT: Tensor, pooling: Pooling) -> Tensor:
    """Pools to (N, D).  N text · T token · D width.

    Args:
        tokens_NTD: The encoder's output.
        mask_NT: True where a token is real.
        pooling: The mean of the real tokens, the first of them, or the last.
    """
    if pooling == "mean":
        mask_NT1 = mask_NT.unsqueeze(-1).to(tokens_NTD.dtype)
        return (tokens_NTD * mask_NT1).sum(1) / mask_NT1.sum(1).clamp(min=1)
    if pooling == "cls":
        first_N = mask_NT.int().argmax(1)
    else:
        places_T = torch.arange(1, mask_NT.shape[1] + 1, device=mask_NT.device)
        first_N = (mask_NT * places_T).argmax(1)
    return tokens_NTD[torch.arange(len(tokens_NTD), device=tokens_NTD.device), first_N]
