"""Hides tokens from the encoder, in a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Lt
from torch import Tensor

import coview


class TokenCutoff:
    """Hides random tokens: none attends to them and they are not pooled, while the others keep their places.

    It works on the batch of an encoder with a tokenizer, on the device that trains. A text's first and last token,
    which for most encoders mark its beginning and end, are never hidden.

    Args:
        share: Of a text's other tokens, rounded down; ConSERT (arXiv:2105.11741): 0.15.
    """

    batch: ClassVar[bool] = True

    def __init__(self, *, share: Annotated[float, Ge(0), Lt(1)] = 0.15) -> None:
        self.share = share

    def __call__(self, batch: Mapping[str, Tensor], rng: coview.BatchRng, /) -> dict[str, Tensor]:
        """The batch with another mask."""
        mask_NT = batch["attention_mask"]
        real_NT = mask_NT.bool()
        inner_NT = real_NT & (real_NT.cumsum(1) > 1) & (real_NT.flip(1).cumsum(1).flip(1) > 1)
        # the tokens of the smallest draws are hidden: exactly the share in every row, whatever the padding
        draws_NT = rng.uniform(mask_NT.shape[1]).masked_fill(~inner_NT, torch.inf)
        rank_NT = draws_NT.argsort(1).argsort(1)
        hidden_NT = inner_NT & (rank_NT < (inner_NT.sum(1, keepdim=True) * self.share).floor())
        return {**batch, "attention_mask": mask_NT.masked_fill(hidden_NT, 0)}
