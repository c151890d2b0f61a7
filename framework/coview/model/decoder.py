"""The contract of decoders, which plugins implement, and how one is called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, cast

from torch import Tensor, nn

from coview.data.token_mask import TokenMask
from coview.errors import CoviewError


@dataclass(frozen=True)
class DecoderInput:
    """What a decoder predicts from.  M row · T token · D width · K prediction.

    Attributes:
        tokens_MTD: The encoder's, of each row once for each group of tokens that is predicted by itself.
        seen_MT: True where one of them is of what the encoder has seen. What was dropped, and padding, is of no
            meaning.
        wanted_MT: Where a prediction is asked for.
        shape: How the last tokens lie: ``(T,)``, or ``(height, width)``.
    """

    tokens_MTD: Tensor
    seen_MT: Tensor
    wanted_MT: Tensor
    shape: tuple[int, ...]


class Decoder(Protocol):
    """An ``nn.Module`` from what was seen to a prediction for each token that is wanted.

    The registered target is called as ``target(in_width=…, width=…, **parameters)``: D, and the width of a prediction;
    one that takes ``encoder`` is given that too.
    """

    def __call__(self, seen: DecoderInput, /) -> Tensor:
        """``(K, width)``, of the places where ``wanted_MT`` is true, row by row."""
        ...


def decode(decoder: nn.Module, tokens_NTD: Tensor, mask: TokenMask, *, seen_NT: Tensor | None = None) -> Tensor:
    """What a decoder predicts, ``(K, width)`` in the order of ``mask.places``.

    Args:
        decoder: The decoder.
        tokens_NTD: The encoder's.
        mask: What is wanted.
        seen_NT: Which of the tokens are of what the encoder has seen; absent: as the mask has it.

    Raises:
        CoviewError: If it makes something of another shape.
    """
    seen_NT = mask.seen_NT if seen_NT is None else seen_NT
    groups = mask.wanted_NBT.shape[1]
    if groups > 1:
        tokens_NTD, seen_NT = (part.repeat_interleave(groups, dim=0) for part in (tokens_NTD, seen_NT))
    wanted_MT = mask.wanted_NBT.flatten(0, 1)
    made: Any = cast(Decoder, decoder)(DecoderInput(tokens_NTD, seen_NT, wanted_MT, mask.layout.shape))
    wanted = len(mask.places[0])
    if not isinstance(made, Tensor) or made.ndim != 2 or len(made) != wanted:
        found = tuple(made.shape) if isinstance(made, Tensor) else f"a {type(made).__name__}"
        raise CoviewError(
            f"the decoder {type(decoder).__name__} has to make a row for each of {wanted} tokens, and makes {found}",
            hint="tell the author of the plugin",
        )
    return made
