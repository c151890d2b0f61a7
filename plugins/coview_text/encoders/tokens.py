"""From texts to a batch of tokens, and from the vectors of tokens to one of each text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

import coview

Pooling = Literal["mean", "cls", "last"]

IN_WORDS = {
    "mean": "mask = batch['attention_mask'].unsqueeze(-1)\nfeatures = (tokens * mask).sum(1) / mask.sum(1)",
    "cls": "features = tokens[:, 0]",
    "last": "features = tokens[range(len(tokens)), batch['attention_mask'].sum(1) - 1]",
}
"""The same in lines of Python, of ``tokens`` and ``batch``, for an exported folder."""


@dataclass(frozen=True)
class Tokenize:
    """Makes a batch of texts: ``input_ids``, ``attention_mask`` and ``words``, each (N, T), padded on the right.

    ``words`` is the word of each token by the tokenizer, counted from 0 in each text. It is -1 for tokens outside of
    words, and for all tokens of a slow tokenizer, which does not know.

    Attributes:
        tokenizer: A tokenizer of transformers with a padding token.
        max_length: Tokens after which a text is cut.
        fills_up: Whether padding fills up each text to ``max_length``, and not to the longest text of the batch.
    """

    tokenizer: Any
    max_length: int
    fills_up: bool = False

    def __call__(self, values: Sequence[str], /) -> dict[str, Tensor]:
        """The batch. A text without any token, which some tokenizers make of an empty one, is one padding token."""
        for value in values:
            if not isinstance(value, str):
                raise coview.CoviewError(f"a text has to be a str, and the data gives {type(value).__name__}")
        made = self.tokenizer(list(values), truncation=True, max_length=self.max_length)
        rows = [row or [self.tokenizer.pad_token_id] for row in made["input_ids"]]
        lengths_N = np.array([len(row) for row in rows], dtype=np.int64)
        longest = self.max_length if self.fills_up else int(lengths_N.max(initial=0))
        real_NT = np.arange(longest) < lengths_N[:, None]
        ids_NT, words_NT = np.full(real_NT.shape, self.tokenizer.pad_token_id), np.full(real_NT.shape, -1)
        ids_NT[real_NT] = list(chain.from_iterable(rows))
        if made.is_fast:
            words = chain.from_iterable(made.word_ids(number) or [None] for number in range(len(rows)))
            words_NT[real_NT] = [-1 if word is None else word for word in words]
        mask_NT = torch.from_numpy(real_NT).long()
        return {"input_ids": torch.from_numpy(ids_NT), "attention_mask": mask_NT, "words": torch.from_numpy(words_NT)}

    def save(self, folder: Path) -> None:
        """Writes the tokenizer so that it pads on the right and cuts texts where the run does, unless it is told to do
        otherwise."""
        as_it_was = self.tokenizer.padding_side, self.tokenizer.model_max_length
        self.tokenizer.padding_side, self.tokenizer.model_max_length = "right", self.max_length
        try:
            self.tokenizer.save_pretrained(folder)
        finally:
            self.tokenizer.padding_side, self.tokenizer.model_max_length = as_it_was


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
