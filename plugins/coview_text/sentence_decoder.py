"""A decoder that makes a text anew from the one vector that the encoder has made of it (TSDAE)."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn
from transformers import AutoModel

import coview
from coview_text.encoders.masked import MaskedTexts


class SentenceDecoder(nn.Module):
    """The encoder's transformer once more, which reads the text from left to right and looks at the encoder's pooled
    vector by cross-attention; each token is predicted from those before it. With the head that came with the weights.

    Args:
        tied: Whether it has the encoder's weights and trains them with it, as TSDAE does; if not, it starts from them.
            The cross-attention is its own, and starts at random.
    """

    takes_values = True

    def __init__(self, encoder: nn.Module, tied: bool = True) -> None:
        super().__init__()
        if not isinstance(encoder, MaskedTexts) or not isinstance(encoder, coview.HasPretrainingHead):
            raise ValueError(f"{type(encoder).__name__} has no transformer that could make texts")
        config = copy.deepcopy(encoder.model.config)
        config.is_decoder, config.add_cross_attention, config.use_cache = True, True, False
        self.model: Any = AutoModel.from_config(config, dtype=torch.float32)  # type: ignore[no-untyped-call]
        if not any("cross" in name.lower() for name, _ in self.model.named_modules()):
            raise ValueError(f"{config.model_type} has no cross-attention: take a model such as BERT or RoBERTa")
        _without_pooler(self.model)
        theirs = dict(encoder.model.named_parameters())
        for name, parameter in list(self.model.named_parameters()):
            if name not in theirs:
                continue
            if tied:
                inner, _, last = name.rpartition(".")
                setattr(self.model.get_submodule(inner), last, theirs[name])
            elif not parameter.is_meta:
                parameter.data.copy_(theirs[name].data)
        self.head = encoder.pretraining_head()

    def forward(self, seen: coview.DecoderInput) -> torch.Tensor:
        """What the head makes of what stands before each token that is wanted.

        Raises:
            CoviewError: If the first token is wanted, which nothing stands before.
        """
        ids_MT, pooled_MD = seen.values, seen.pooled_MD
        assert ids_MT is not None, "it takes values"
        assert pooled_MD is not None, "an encoder pools"
        wanted_MT = seen.wanted_MT[:, 1:]
        if seen.wanted_MT[:, 0].any():
            raise coview.CoviewError(
                "sentence_decoder predicts tokens from those before them, and the first of a text is wanted",
                hint='take [mask] use = "deletion", which wants all but the first',
            )
        hidden_MTD = self.model(
            input_ids=ids_MT[:, : max(1, wanted_MT.shape[1])], encoder_hidden_states=pooled_MD[:, None]
        ).last_hidden_state[:, : wanted_MT.shape[1]]
        made: torch.Tensor = self.head(hidden_MTD[wanted_MT])
        return made


def _without_pooler(model: Any) -> None:
    """A pooler's weights would be trained by nothing."""
    if "pooler" in dict(model.named_children()):
        model.pooler = None
