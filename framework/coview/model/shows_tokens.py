"""The contracts by which an encoder that takes a mask shows its tokens to a person; plugins implement them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from coview.data.token_mask import TokenLayout, TokenMask


@dataclass(frozen=True)
class TokenPictures:
    """Tokens of one sample, drawn once for each of several versions of their values.

    S version · H height · W width.

    Attributes:
        pixels_SHW3: uint8, red, green and blue.
        token_HW: int64: which token each pixel is of, counted as the layout does; -1 where it is of none.
    """

    pixels_SHW3: np.ndarray
    token_HW: np.ndarray

    def __post_init__(self) -> None:
        """Checks itself.

        Raises:
            ValueError: If the pictures are of another type, or their pixels are not those whose tokens are told.
        """
        shape = (*self.pixels_SHW3.shape[:1], *self.token_HW.shape, 3)
        if self.pixels_SHW3.shape != shape or self.pixels_SHW3.dtype != np.uint8:
            found = f"{self.pixels_SHW3.dtype} of shape {self.pixels_SHW3.shape}"
            raise ValueError(f"pixels_SHW3 has to be uint8 of shape {shape}, and is {found}")


@runtime_checkable
class DrawsTokens(Protocol):
    """An encoder whose tokens are made of numbers that can be drawn: a part of a picture, of a spectrogram."""

    def draw_tokens(self, values_STP: Tensor, layout: TokenLayout, modality: Any, /) -> TokenPictures:
        """Pictures of all tokens of one sample, on one scale of colours, which the first version sets.

        Args:
            values_STP: Versions of what ``token_values`` makes of the sample, on the CPU: the first as it is, in the
                others some tokens have values that are predicted.
            layout: Of the sample.
            modality: Whose batches the values are of. One that is a :class:`coview.data.modality.Uncollates` knows how
                a batch looked before it was normalised.
        """
        ...


@runtime_checkable
class NamesTokens(Protocol):
    """An encoder whose tokens are of a vocabulary, and have names."""

    def token_names(self, tokens_T: Tensor, /) -> Sequence[str]:
        """What each is called, given numbers below ``classes``; tokens of one word are written without a gap."""
        ...

    def swapped_tokens(self, tokens_NT: Tensor, mask: TokenMask, /) -> Tensor:
        """``(N, T)``: the tokens with others in the place of those that ``mask.swap_NT`` swaps."""
        ...
