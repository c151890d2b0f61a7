"""From texts to a batch of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import coview


@dataclass(frozen=True)
class Tokenize:
    """Makes a batch of texts: a mapping of ``input_ids`` and ``attention_mask``, (N, T), padded on the right.

    Attributes:
        tokenizer: A fast one of transformers', with a token to pad by.
        max_length: Tokens after which a text is cut.
    """

    tokenizer: Any
    max_length: int

    def __call__(self, values: Sequence[str], /) -> dict[str, Tensor]:
        """The batch. A text without any token, which some tokenizers make of an empty one, is one padding token."""
        for value in values:
            if not isinstance(value, str):
                raise coview.CoviewError(f"a text has to be a str, and the data gives {type(value).__name__}")
        rows = self.tokenizer(list(values), truncation=True, max_length=self.max_length)["input_ids"]
        rows = [row or [self.tokenizer.pad_token_id] for row in rows]
        ids_NT = torch.full((len(rows), max(map(len, rows), default=0)), self.tokenizer.pad_token_id)
        mask_NT = torch.zeros_like(ids_NT)
        for number, row in enumerate(rows):
            ids_NT[number, : len(row)] = torch.tensor(row)
            mask_NT[number, : len(row)] = 1
        return {"input_ids": ids_NT, "attention_mask": mask_NT}
