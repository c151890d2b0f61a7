"""How an encoder that takes a mask is called: as it is, or with the context of its samples where it takes one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor

from coview.data.token_mask import TokenLayout, TokenMask
from coview.model.context import InContext
from coview.model.encoder import Encoding
from coview.model.masked_encoder import TakesMask


def token_layout(encoder: TakesMask, batch: Any) -> TokenLayout:
    """Which tokens a batch has.

    Args:
        encoder: Whose tokens.
        batch: As the encoder gets it, in its contexts where it takes them.
    """
    if not isinstance(batch, InContext):
        return encoder.token_layout(batch)
    made = [cast(Any, encoder).token_layout(one.batch, one.contexts[0]) for one in _each(batch)]
    first: TokenLayout = made[0]
    words = [layout.words_NT for layout in made]
    return replace(
        first,
        real_NT=torch.cat([layout.real_NT for layout in made]),
        maskable_NT=torch.cat([layout.maskable_NT for layout in made]),
        words_NT=None if first.words_NT is None else torch.cat(words),
    )


def token_values(encoder: TakesMask, batch: Any) -> Tensor:
    """What each token of a batch is made of."""
    if not isinstance(batch, InContext):
        return encoder.token_values(batch)
    return torch.cat([cast(Any, encoder).token_values(one.batch, one.contexts[0]) for one in _each(batch)])


def encode_tokens(
    encoder: TakesMask, batch: Any, mask: TokenMask | None, *, mask_token_D: Tensor | None = None, layers: int = 0
) -> Encoding:
    """What an encoder makes of a batch of which some tokens are hidden."""
    if not isinstance(batch, InContext):
        return encoder.encode_tokens(batch, mask, mask_token_D=mask_token_D, layers=layers)
    parts = _each(batch)
    masks: Sequence[TokenMask | None] = [None] * len(parts) if mask is None else masks_apart(mask, len(parts))
    given = {"mask_token_D": mask_token_D, "layers": layers}
    return below_each_other(
        [
            cast(Any, encoder).encode_tokens(one.batch, one.contexts[0], of_it, **given)
            for one, of_it in zip(parts, masks, strict=True)
        ]
    )


def masks_apart(mask: TokenMask, views: int) -> list[TokenMask]:
    """The mask of each view, of one for views that lie below each other."""
    return [mask.map_tensors(lambda tensor, of=of: tensor.chunk(views)[of]) for of in range(views)]  # type: ignore[misc]


def below_each_other(encodings: Sequence[Encoding]) -> Encoding:
    """Encodings of views of the same tokens as one."""
    if len(encodings) == 1:
        return encodings[0]
    tokens, masks = ([of_view.tokens_NTD for of_view in encodings], [of_view.mask_NT for of_view in encodings])
    return Encoding(
        torch.cat([of_view.pooled_ND for of_view in encodings]),
        None if tokens[0] is None else torch.cat(cast(list[Tensor], tokens)),
        None if masks[0] is None else torch.cat(cast(list[Tensor], masks)),
        tuple(torch.cat(layer) for layer in zip(*(of_view.layers_LNTD for of_view in encodings), strict=True)),
    )


def _each(batch: InContext) -> list[InContext]:
    """A batch for each context."""
    return batch.views_apart(len(batch.contexts))
