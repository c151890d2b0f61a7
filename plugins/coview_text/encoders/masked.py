"""Hiding tokens of a text: which may be, what stands for them, and the head that models of masked texts bring."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Literal

import torch
from torch import Tensor, nn

import coview
from coview_text.encoders.by_length import by_length
from coview_text.encoders.tokens import Pooling, pool
from coview_text.encoders.whole_mask import attention_mask_for


class MaskedTexts(ABC):
    """The part of an encoder of texts that makes it a :class:`coview.TakesMask` and a :class:`coview.NamesTokens`."""

    hides: Collection[Literal["replace", "drop", "swap"]] = ("replace", "drop", "swap")
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

    @abstractmethod
    def tokenizer(self) -> Any:
        """The tokenizer of transformers'."""

    def token_layout(self, batch: Mapping[str, Tensor], /) -> coview.TokenLayout:
        """Tokens in a row, of which the tokenizer's own, such as separators, cannot be hidden."""
        ids_NT = batch["input_ids"]
        real_NT = batch["attention_mask"].bool()
        own = tuple(self.tokenizer().all_special_ids)
        maskable_NT = real_NT & ~torch.isin(ids_NT, _on_device(own, ids_NT.device))
        words_NT = batch["words"].masked_fill(~maskable_NT, -1)
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
        if mask is not None and mask.hide == "drop":
            return self._without_hidden(ids_NT, mask, layers)
        given: dict[str, Tensor] = {"input_ids": ids_NT}
        if mask is not None:
            given = self._hidden(ids_NT, mask, mask_token_D)
        if not ids_NT.is_meta:  # transformers looks into the mask, where the meta device has nothing to look at
            given["attention_mask"] = batch["attention_mask"]

        def run(part: dict[str, Tensor]) -> list[Tensor]:
            with _outputs_of_layers(self.model, layers) as last:
                if "attention_mask" in part:
                    part = {**part, "attention_mask": attention_mask_for(self.model, part["attention_mask"])}
                return [self.model(**part).last_hidden_state, *last]

        tokens_NTD, *last = by_length(run, given, batch["attention_mask"])
        return coview.Encoding(pool(tokens_NTD, real_NT, self.pooling), tokens_NTD, real_NT, tuple(last))

    def token_names(self, tokens_T: Tensor, /) -> Sequence[str]:
        """What the tokenizer has in its vocabulary, without the signs for the beginning and the inside of a word."""
        tokenizer = self.tokenizer()
        names = []
        for number in tokens_T.tolist():
            written = tokenizer.convert_ids_to_tokens(number)
            if written is None:  # a model's vocabulary may be larger than its tokenizer's
                names.append(f"token {number}")
                continue
            read = tokenizer.decode([number], clean_up_tokenization_spaces=False)
            name = read.strip() or ("␣" if read else written)
            names.append(name.removeprefix("##") or name)
        return names

    def swapped_tokens(self, tokens_NT: Tensor, mask: coview.TokenMask, /) -> Tensor:
        """Any other of the vocabulary in the place of those that are swapped."""
        if mask.swap_NT is None:
            return tokens_NT
        other_NT = (mask.swap_NT.clamp(min=0) * self.classes).long()
        return torch.where(mask.swap_NT >= 0, other_NT, tokens_NT)

    def _without_hidden(self, ids_NT: Tensor, mask: coview.TokenMask, layers: int) -> coview.Encoding:
        """As if the hidden tokens had never been in the text: those behind them move up."""
        kept = coview.KeptTokens.of(mask.seen_NT)
        ids_NK = ids_NT.gather(1, kept.places_NK)
        real_NK = torch.ones_like(ids_NK, dtype=torch.bool) if kept.real_NK is None else kept.real_NK
        ids_NK = ids_NK.masked_fill(~real_NK, self.tokenizer().pad_token_id)
        seen = None if ids_NK.is_meta else attention_mask_for(self.model, real_NK.long())  # as in ``encode``
        with _outputs_of_layers(self.model, layers) as last:
            tokens_NKD = self.model(input_ids=ids_NK, attention_mask=seen).last_hidden_state
        pooled_ND = pool(tokens_NKD, real_NK, self.pooling)
        of_layers = tuple(kept.put_back(layer_NKD) for layer_NKD in last)
        return coview.Encoding(pooled_ND, kept.put_back(tokens_NKD), mask.layout.real_NT, of_layers)

    def _hidden(self, ids_NT: Tensor, mask: coview.TokenMask, mask_token_D: Tensor | None) -> dict[str, Tensor]:
        ids_NT = self.swapped_tokens(ids_NT, mask)
        if mask_token_D is None:
            return {"input_ids": ids_NT.masked_fill(mask.replaced_NT, self.tokenizer().mask_token_id)}
        embedded_NTD = self.model.get_input_embeddings()(ids_NT)
        vector_D = mask_token_D.to(embedded_NTD.dtype)
        return {"inputs_embeds": torch.where(mask.replaced_NT[..., None], vector_D, embedded_NTD)}


@lru_cache
def _on_device(ids: tuple[int, ...], device: torch.device) -> Tensor:
    """Brought to the device once: a GPU would be waited for at each batch."""
    return torch.tensor(ids, device=device)


@contextmanager
def _outputs_of_layers(model: Any, layers: int) -> Iterator[list[Tensor]]:
    """What the last layers make; transformers' ``hidden_states`` would have it behind a last norm."""
    made: list[Tensor] = []

    def keep(_module: nn.Module, _given: Any, output: Any) -> None:
        made.append(output[0] if isinstance(output, tuple) else output)

    count = model.config.num_hidden_layers
    stacks = [module for module in model.modules() if isinstance(module, nn.ModuleList) and len(module) == count]
    if layers and not stacks:
        raise coview.CoviewError(f"the layers of {type(model).__name__} cannot be told apart")
    hooks = [layer.register_forward_hook(keep) for layer in stacks[0][count - layers :]] if layers else []
    try:
        yield made
    finally:
        for hook in hooks:
            hook.remove()


_HEADS = (
    ("cls",),
    ("lm_head",),
    ("head", "decoder"),
    ("vocab_transform", "activation", "vocab_layer_norm", "vocab_projector"),
)
"""What the heads of transformers' models for masked tokens consist of, in BERT, RoBERTa, ModernBERT and DistilBERT."""


def pretraining_head(of: Any, model: Any, name: str) -> nn.Module:
    """The head of a masked language model, from hidden states to logits; its last matrix is that of the embeddings
    where the model has it so.

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
    if getattr(of.config, "tie_word_embeddings", True):
        output.weight = model.get_input_embeddings().weight
    for parts in _HEADS:
        found = [module for part in parts if isinstance(module := getattr(of, part, None), nn.Module)]
        if len(found) == len(parts):
            return found[0] if len(found) == 1 else nn.Sequential(*found)
    raise coview.CoviewError(
        f"{name}: the head of {type(of).__name__} for masked tokens is of a kind that coview does not know",
        hint='take [decoder] use = "mlp", which starts with random weights',
    )
