"""Hiding tokens of a text: which may be, what stands for them, and the head that models of masked texts bring."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

import coview
from coview_text.encoders.tokens import Pooling, pool


class MaskedTexts:
    """The part of an encoder of texts that makes it a :class:`coview.TakesMask`."""

    hides: Collection[Literal["replace", "drop", "swap"]] = ("replace", "swap")
    token_width = 0
    mask_width = 0
    value_width = 0
    classes = 0
    model: Any
    pooling: Pooling

    def use_tokens(self, model: Any, *, has_mask_token: bool) -> None:
        """Takes the width and the vocabulary of a model of transformers."""
        embedding = model.get_input_embeddings()
        self.token_width = int(model.config.hidden_size)
        self.classes = int(embedding.num_embeddings)
        self.mask_width = 0 if has_mask_token else int(embedding.embedding_dim)

    def tokenizer(self) -> Any:
        """The tokenizer of transformers'."""
        raise NotImplementedError

    def token_layout(self, batch: Mapping[str, Tensor], /) -> coview.TokenLayout:
        """Tokens in a row, of which the tokenizer's own, such as separators, cannot be hidden."""
        ids_NT = batch["input_ids"]
        real_NT = batch["attention_mask"].bool()
        own = torch.tensor(sorted(set(self.tokenizer().all_special_ids)), device=ids_NT.device)
        maskable_NT = real_NT & ~torch.isin(ids_NT, own)
        words_NT = None
        if (begins_C := begins_word(self.tokenizer(), self.classes)) is not None:
            begins_NT = begins_C.to(ids_NT.device)[ids_NT] & maskable_NT
            # the first token of a text begins a word, whether or not a space is before it
            after_NT = torch.cat([maskable_NT.new_zeros((len(ids_NT), 1)), maskable_NT[:, :-1]], 1)
            begins_NT |= maskable_NT & ~after_NT
            words_NT = (begins_NT.cumsum(1) - 1).masked_fill(~maskable_NT, -1)
        return coview.TokenLayout(real_NT, maskable_NT, (ids_NT.shape[1],), words_NT)

    def token_values(self, batch: Mapping[str, Tensor], /) -> Tensor:
        """The tokens' numbers in the vocabulary."""
        return batch["input_ids"]

    def encode_tokens(
        self,
        batch: Mapping[str, Tensor],
        mask: coview.TokenMask | None,
        /,
        *,
        mask_token_D: Tensor | None = None,
        layers: int = 0,
    ) -> coview.Encoding:
        """Pooled features (N, D), and those of each token (N, T, D)."""
        ids_NT, real_NT = batch["input_ids"], batch["attention_mask"].bool()
        given: dict[str, Tensor] = {"input_ids": ids_NT}
        if mask is not None:
            given = self._hidden(ids_NT, mask, mask_token_D)
        made = self.model(**given, attention_mask=batch["attention_mask"], output_hidden_states=layers > 0)
        tokens_NTD = made.last_hidden_state
        return coview.Encoding(
            pool(tokens_NTD, real_NT, self.pooling),
            tokens_NTD,
            real_NT,
            tuple(made.hidden_states[-layers:]) if layers else (),
        )

    def _hidden(self, ids_NT: Tensor, mask: coview.TokenMask, mask_token_D: Tensor | None) -> dict[str, Tensor]:
        if mask.swap_NT is not None:
            other_NT = (mask.swap_NT.clamp(min=0) * self.classes).long()
            ids_NT = torch.where(mask.swap_NT >= 0, other_NT, ids_NT)
        if mask_token_D is None:
            return {"input_ids": ids_NT.masked_fill(mask.replaced_NT, self.tokenizer().mask_token_id)}
        embedded_NTD = self.model.get_input_embeddings()(ids_NT)
        vector_D = mask_token_D.to(embedded_NTD.dtype)
        return {"inputs_embeds": torch.where(mask.replaced_NT[..., None], vector_D, embedded_NTD)}


_BEGINS: dict[int, Tensor | None] = {}


def begins_word(tokenizer: Any, classes: int) -> Tensor | None:
    """``(C,)`` bool: whether each token of a vocabulary begins a word; None where its tokens do not say.

    WordPiece marks what goes on with ``##``, byte-level BPE a space before with ``Ġ``, and SentencePiece with ``▁``.
    """
    key = id(tokenizer)
    if key not in _BEGINS:
        _BEGINS[key] = _begins(tokenizer.get_vocab(), classes)
    return _BEGINS[key]


def _begins(vocabulary: Mapping[str, int], classes: int) -> Tensor | None:
    begins_C = torch.zeros(classes, dtype=torch.bool)
    goes_on = any(token.startswith("##") for token in vocabulary)
    marks = [mark for mark in ("Ġ", "▁") if any(token.startswith(mark) for token in vocabulary)]
    if not goes_on and not marks:
        return None
    for token, number in vocabulary.items():
        begins_C[number] = not token.startswith("##") if goes_on else token.startswith(marks[0])
    return begins_C


_HEADS = (
    ("cls",),
    ("lm_head",),
    ("head", "decoder"),
    ("vocab_transform", "vocab_layer_norm", "vocab_projector"),
)
"""What the heads of transformers' models for masked tokens consist of, in BERT, RoBERTa, ModernBERT and DistilBERT."""


def pretraining_head(of: Any, model: Any, name: str) -> nn.Module:
    """The head of a masked language model, from hidden states to logits, its last matrix that of the embeddings.

    Args:
        of: A model of transformers for masked language modelling, whose head is taken.
        model: The encoder that shares its embeddings with the head.
        name: What the encoder is called, for the message.

    Raises:
        CoviewError: If it has no head of a kind that is known here.
    """
    output = of.get_output_embeddings()
    if output is None:
        raise coview.CoviewError(f"{name} has no head for masked tokens")
    output.weight = model.get_input_embeddings().weight
    for parts in _HEADS:
        found = [module for part in parts if isinstance(module := getattr(of, part, None), nn.Module)]
        if len(found) == len(parts):
            if parts[0] == "vocab_transform":  # DistilBERT's activation is no module
                found.insert(1, nn.GELU())
            return found[0] if len(found) == 1 else nn.Sequential(*found)
    raise coview.CoviewError(
        f"{name}: the head of {type(of).__name__} for masked tokens is of a kind that coview does not know",
        hint='take [decoder] use = "mlp", which starts with random weights',
    )
