"""From texts to a batch of tokens, and from the vectors of tokens to one of each text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

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
        longest = self.max_length if self.fills_up else max(map(len, rows), default=0)
        ids_NT = torch.full((len(rows), longest), self.tokenizer.pad_token_id)
        mask_NT, words_NT = torch.zeros_like(ids_NT), torch.full_like(ids_NT, -1)
        for number, row in enumerate(rows):
            ids_NT[number, : len(row)] = torch.tensor(row)
            mask_NT[number, : len(row)] = 1
            if made.is_fast:
                words = [-1 if word is None else word for word in made.word_ids(number)]
                words_NT[number, : len(words)] = torch.tensor(words, dtype=torch.long)
        return {"input_ids": ids_NT, "attention_mask": mask_NT, "words": words_NT}

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
