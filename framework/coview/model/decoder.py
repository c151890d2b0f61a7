"""The contract of decoders, which plugins implement, and how one is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

from coview.data.batch import map_tensors
from coview.data.token_mask import TokenMask
from coview.errors import CoviewError
from coview.model.context import InContext
from coview.model.encoder import Encoding
from coview.model.masked_calls import masks_apart


@dataclass(frozen=True)
class DecoderInput:
    """What a decoder predicts from.  M row · T token · D width · K prediction.

    Attributes:
        tokens_MTD: The encoder's, of each row once for each group of tokens that is predicted by itself.
        seen_MT: True where one of them is of what the encoder has seen. What was dropped, and padding, is of no
            meaning.
        wanted_MT: Where a prediction is asked for.
        shape: How the last tokens lie: ``(T,)``, or ``(height, width)``.
        pooled_MD: The one vector that the encoder has made of each row.
        values: What each token was made of, hidden or not, as the target has it: ``(M, T, P)`` numbers or ``(M, T)``
            classes; for a decoder that :class:`TakesValues`, else absent.
        batch: What the encoder was called with, of as many rows; for a decoder that :class:`TakesBatch`, else absent.
        context: What all samples share, likewise; absent where the encoder takes no context.
    """

    tokens_MTD: Tensor
    seen_MT: Tensor
    wanted_MT: Tensor
    shape: tuple[int, ...]
    pooled_MD: Tensor | None = None
    values: Tensor | None = None
    batch: Any = None
    context: Any = None


@runtime_checkable
class TakesValues(Protocol):
    """A decoder that sees what came before a token when it predicts it: its class has ``takes_values = True``."""

    takes_values: bool


@runtime_checkable
class TakesBatch(Protocol):
    """A decoder that needs more of a batch than its tokens, such as the edges between nodes: its class has
    ``takes_batch = True``."""

    takes_batch: bool


class Decoder(Protocol):
    """An ``nn.Module`` from what was seen to a prediction for each token that is wanted.

    The registered target is called as ``target(in_width=…, width=…, **parameters)``: D, and the width of a prediction;
    one that takes ``encoder`` is given that too.
    """

    def __call__(self, seen: DecoderInput, /) -> Tensor:
        """``(K, width)``, of the places where ``wanted_MT`` is true, row by row."""
        ...


def takes_values(decoder: nn.Module) -> bool:
    """Whether a decoder says that it does."""
    return isinstance(decoder, TakesValues) and decoder.takes_values


def takes_batch(decoder: Any) -> bool:
    """Whether a decoder says that it does."""
    return isinstance(decoder, TakesBatch) and decoder.takes_batch


def decode(
    decoder: nn.Module,
    encoding: Encoding,
    mask: TokenMask,
    batch: Any = None,
    *,
    seen_NT: Tensor | None = None,
    values: Tensor | None = None,
) -> Tensor:
    """What a decoder predicts, ``(K, width)`` in the order of ``mask.places``.

    Args:
        decoder: The decoder.
        encoding: What the encoder has made, with tokens.
        mask: What is wanted.
        batch: What the encoder has made it of, for a decoder that takes that.
        seen_NT: Which of the tokens are of what the encoder has seen; absent: as the mask has it.
        values: What the tokens were made of, for a decoder that takes that.

    Raises:
        CoviewError: If it makes something of another shape, or takes values and there are none here.
    """
    if values is None and takes_values(decoder):
        raise CoviewError(
            f"the decoder {type(decoder).__name__} sees the input, but a teacher's decoder does not get it",
            hint='take [target] use = "input"',
        )
    if takes_batch(decoder) and isinstance(batch, InContext) and len(batch.contexts) > 1:
        return _by_context(decoder, encoding, mask, batch, seen_NT, values)
    tokens_NTD, pooled_ND = encoding.tokens_NTD, encoding.pooled_ND
    assert tokens_NTD is not None, "an encoder that takes a mask gives tokens"
    seen_NT = mask.seen_NT if seen_NT is None else seen_NT
    groups = mask.wanted_NBT.shape[1]
    if groups > 1:
        parts = (tokens_NTD, seen_NT, pooled_ND)
        tokens_NTD, seen_NT, pooled_ND = (part.repeat_interleave(groups, dim=0) for part in parts)
        values = None if values is None else values.repeat_interleave(groups, dim=0)
    of_batch, context = _around(batch, len(mask.wanted_NBT), groups) if takes_batch(decoder) else (None, None)
    wanted_MT = mask.wanted_NBT.flatten(0, 1)
    made: Any = cast(Decoder, decoder)(
        DecoderInput(tokens_NTD, seen_NT, wanted_MT, mask.layout.shape, pooled_ND, values, of_batch, context)
    )
    wanted = len(mask.places[0])
    if not isinstance(made, Tensor) or made.ndim != 2 or len(made) != wanted:
        found = tuple(made.shape) if isinstance(made, Tensor) else f"a {type(made).__name__}"
        raise CoviewError(
            f"the decoder {type(decoder).__name__} has to make a row for each of {wanted} tokens, and makes {found}",
            hint="tell the author of the plugin",
        )
    return made


def _around(batch: Any, rows: int, groups: int) -> tuple[Any, Any]:
    """The batch with each row once for each group, and its context."""
    context = None
    if isinstance(batch, InContext):
        batch, (context,) = batch.batch, batch.contexts
    if groups == 1:
        return batch, context
    row_M = torch.arange(rows).repeat_interleave(groups)
    repeated = map_tensors(lambda tensor: tensor[row_M.to(tensor.device)], batch, lambda of: of.select(row_M))
    return repeated, context


def _by_context(
    decoder: nn.Module,
    encoding: Encoding,
    mask: TokenMask,
    batch: InContext,
    seen_NT: Tensor | None,
    values: Tensor | None,
) -> Tensor:
    """What a decoder predicts of views that have contexts of their own: of each view by itself."""
    views = len(batch.contexts)

    def apart(x: Tensor | None) -> Sequence[Tensor | None]:
        return [None] * views if x is None else x.chunk(views)

    pooled_VND, tokens_VNTD = encoding.pooled_ND.chunk(views), apart(encoding.tokens_NTD)
    made = []
    for pooled_ND, tokens_NTD, of_view, one, seen, value in zip(
        pooled_VND,
        tokens_VNTD,
        masks_apart(mask, views),
        batch.views_apart(views),
        apart(seen_NT),
        apart(values),
        strict=True,
    ):
        made.append(decode(decoder, Encoding(pooled_ND, tokens_NTD), of_view, one, seen_NT=seen, values=value))
    return torch.cat(made)
