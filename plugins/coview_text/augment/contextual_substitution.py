"""Replaces words by what a masked language model puts there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import torch
from annotated_types import Ge, Gt, Le
from transformers import AutoModelForMaskedLM, AutoTokenizer

import coview
from coview_text.encoders.loading import found, with_vocabulary
from coview_text.words import join, split, without_punctuation


class ContextualSubstitution:
    """Hides some words from a masked language model, all at once, and replaces each by one that it expects there.

    Words keep their punctuation. What the model expects as part of a word, as a mark, or what was there, does not
    count. Takes a forward pass of the model for each view: a small model, or a GPU's loader with many processes.

    Args:
        model: A hub id such as "distilbert-base-uncased", or a local folder.
        share: Share of the words, at least one.
        top_k: How many of the most likely words are drawn from, by their probability; nlpaug: 100.
        temperature: Temperature of the draw; a lower one makes likely words likelier.
        max_length: Tokens after which the model does not look further; words there stay.
    """

    def __init__(
        self,
        *,
        model: str | Path,
        share: Annotated[float, Gt(0), Le(1)] = 0.15,
        top_k: Annotated[int, Ge(1)] = 50,
        temperature: Annotated[float, Gt(0)] = 1.0,
        max_length: Annotated[int, Ge(3)] = 128,
    ) -> None:
        try:
            self.name = coview.folder_or_hub_id("hf", str(model), "config.json")
        except LookupError as error:
            raise ValueError(f"model: {error.args[0]}") from error
        self.share, self.top_k, self.temperature, self.max_length = share, top_k, temperature, max_length

    def __call__(self, value: str, rng: coview.Rng, /) -> str:
        """The text with other words, or the very one given where there is none to replace."""
        tokenizer = self._loaded[0]
        words = split(value)
        places = [place for place, word in enumerate(words) if any(map(str.isalpha, word))]
        if not places:
            return value
        count = max(1, int(self.share * len(words)))
        hidden = sorted(rng.python.sample(places, min(count, len(places))))
        draws = rng.numpy.random(len(hidden)).tolist()
        parts = {place: without_punctuation(words[place]) for place in hidden}
        masked = list(words)
        for place, (before, _, after) in parts.items():
            masked[place] = before + tokenizer.mask_token + after
        for place, expected, draw in zip(hidden, self._expected(join(masked)), draws, strict=False):
            before, word, after = parts[place]
            words[place] = before + self._drawn(expected, word, draw) + after
        return join(words)

    @cached_property
    def _loaded(self) -> tuple[Any, Any, torch.Tensor]:
        """Tokenizer, model, and which tokens are whole words: loaded when the first text comes."""
        with found("hf", self.name) as source:
            tokenizer: Any = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
            loaded: Any = AutoModelForMaskedLM.from_pretrained(source, dtype=torch.float32, trust_remote_code=False)
        model = loaded.eval()
        with_vocabulary(tokenizer, self.name)
        if tokenizer.mask_token_id is None:
            raise coview.CoviewError(f"{self.name} has no mask token, so it is not a masked language model")
        whole_words = _whole_words(tokenizer, model.config.vocab_size)
        if not whole_words.any():
            raise coview.CoviewError(f"no token of {self.name} is a whole word")
        return tokenizer, model, whole_words

    @torch.no_grad()
    def _expected(self, text: str) -> torch.Tensor:
        """Logits of the vocabulary at each mask, in their order: all masks in one pass."""
        tokenizer, model, _ = self._loaded
        batch = tokenizer(text, truncation=True, max_length=self.max_length, return_tensors="pt")
        logits_TV = model(**batch).logits[0]
        at_masks: torch.Tensor = logits_TV[batch["input_ids"][0] == tokenizer.mask_token_id]
        return at_masks

    def _drawn(self, expected_V: torch.Tensor, word: str, draw: float) -> str:
        tokenizer, _, whole_words = self._loaded
        scores_V = expected_V.double().masked_fill(~whole_words, -torch.inf) / self.temperature
        scores_V[self._ids_of(word)] = -torch.inf
        scores_K, ids_K = scores_V.topk(min(self.top_k, int(whole_words.sum())))
        shares_K = scores_K.softmax(0).cumsum(0)
        if not torch.isfinite(shares_K[-1]):
            return word
        chosen = ids_K[min(int((shares_K < draw).sum()), len(ids_K) - 1)]
        drawn = str(tokenizer.decode([chosen])).strip()
        return drawn[:1].upper() + drawn[1:] if word[:1].isupper() else drawn

    def _ids_of(self, word: str) -> Sequence[int]:
        forms = (word, word.lower(), " " + word, " " + word.lower())
        same = (self._loaded[0](form, add_special_tokens=False)["input_ids"] for form in forms)
        return [ids[0] for ids in same if len(ids) == 1]


def _whole_words(tokenizer: Any, size: int) -> torch.Tensor:
    """(V,) bool: the tokens that are words by themselves, whatever marks a word's beginning in this vocabulary."""
    tokens = tokenizer.convert_ids_to_tokens(list(range(min(size, len(tokenizer)))))
    tokens = [token or "" for token in tokens]  # some ids stand for nothing
    often = len(tokens) // 10
    marker = next((mark for mark in ("Ġ", "▁") if sum(token.startswith(mark) for token in tokens) > often), "")
    special = set(tokenizer.all_special_ids)
    whole = torch.zeros(size, dtype=torch.bool)
    for place, token in enumerate(tokens):
        whole[place] = token.startswith(marker) and token.removeprefix(marker).isalpha() and place not in special
    return whole
