"""The contract of decoders, which plugins implement, and how one is called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, cast, runtime_checkable

from torch import Tensor, nn

from coview.data.token_mask import TokenMask
from coview.errors import CoviewError
from coview.model.encoder import Encoding


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
    """

    tokens_MTD: Tensor
    seen_MT: Tensor
    wanted_MT: Tensor
    shape: tuple[int, ...]
    pooled_MD: Tensor | None = None
    values: Tensor | None = None


@runtime_checkable
class TakesValues(Protocol):
    """A decoder that sees what came before a token when it predicts it: its class has ``takes_values = True``."""

    takes_values: bool


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


def decode(
    decoder: nn.Module,
    encoding: Encoding,
    mask: TokenMask,
    *,
    seen_NT: Tensor | None = None,
    values: Tensor | None = None,
) -> Tensor:
    """What a decoder predicts, ``(K, width)`` in the order of ``mask.places``.

    Args:
        decoder: The decoder.
        encoding: What the encoder has made, with tokens.
        mask: What is wanted.
        seen_NT: Which of the tokens are of what the encoder has seen; absent: as the mask has it.
        values: What the tokens were made of, for a decoder that takes that.

    Raises:
        CoviewError: If it makes something of another shape, or takes values and there are none here.
    """
    if values is None and takes_values(decoder):
        raise CoviewError(
            f"the decoder {type(decoder).__name__} sees the input, and a teacher's decoder is not shown it",
            hint='take [target] use = "input"',
        )
    tokens_NTD, pooled_ND = encoding.tokens_NTD, encoding.pooled_ND
    assert tokens_NTD is not None, "an encoder that takes a mask gives tokens"
    seen_NT = mask.seen_NT if seen_NT is None else seen_NT
    groups = mask.wanted_NBT.shape[1]
    if groups > 1:
        parts = (tokens_NTD, seen_NT, pooled_ND)
        tokens_NTD, seen_NT, pooled_ND = (part.repeat_interleave(groups, dim=0) for part in parts)
        values = None if values is None else values.repeat_interleave(groups, dim=0)
    wanted_MT = mask.wanted_NBT.flatten(0, 1)
    made: Any = cast(Decoder, decoder)(
        DecoderInput(tokens_NTD, seen_NT, wanted_MT, mask.layout.shape, pooled_ND, values)
    )
    wanted = len(mask.places[0])
    if not isinstance(made, Tensor) or made.ndim != 2 or len(made) != wanted:
        found = tuple(made.shape) if isinstance(made, Tensor) else f"a {type(made).__name__}"
        raise CoviewError(
            f"the decoder {type(decoder).__name__} has to make a row for each of {wanted} tokens, and makes {found}",
            hint="tell the author of the plugin",
        )
    return made
