"""The contract of encoders that take a mask, which plugins implement."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal, Protocol, runtime_checkable

from torch import Tensor, nn

from coview.data.token_mask import TokenLayout, TokenMask
from coview.model.encoder import Encoding


@runtime_checkable
class TakesMask(Protocol):
    """An encoder of tokens of which some can be hidden.

    If it takes the context of its data (:class:`coview.TakesContext`), its three methods get the context too, after the
    batch: ``encode_tokens(batch, context, mask, mask_token_D=…, layers=…)``.

    N row · T token · D width · P numbers of a token's input.

    Attributes:
        hides: What it can do with a hidden token: "replace" it by a learnt one, "drop" it, "swap" it for another
            one. Nothing where it takes no mask after all, as its architecture may not.
        token_width: D of ``tokens_NTD``.
        mask_width: Width of the learnt token that it is given; 0 where it has one of its own.
        value_width: P of what a token is made of, where that is numbers: pixels, a part of a spectrogram. 0 where it
            is not.
        classes: How many different tokens there are, where they are so: a vocabulary. 0 where they are not.
    """

    hides: Collection[Literal["replace", "drop", "swap"]]
    token_width: int
    mask_width: int
    value_width: int
    classes: int

    def token_layout(self, batch: Any, /) -> TokenLayout:
        """Which tokens a batch has, as ``tokens_NTD`` has them."""
        ...

    def token_values(self, batch: Any, /) -> Tensor:
        """What each token is made of: ``(N, T, value_width)``, or ``(N, T)`` int64 below ``classes``.

        It is the target of models that reconstruct their input. What is no token of the shape, such as a class token,
        may be anything.
        """
        ...

    def encode_tokens(
        self, batch: Any, mask: TokenMask | None, /, *, mask_token_D: Tensor | None = None, layers: int = 0
    ) -> Encoding:
        """Encodes a batch of which some tokens are hidden.

        Args:
            batch: As for ``forward``.
            mask: What is hidden; None: nothing, and the result is that of ``forward``.
            mask_token_D: The learnt token, of ``mask_width``; None where the encoder has its own, or none is needed.
            layers: How many of the last layers ``layers_LNTD`` is to have, before any last norm.

        Returns:
            ``tokens_NTD`` of all T tokens; what is dropped, or padding, may be anything. ``pooled_ND`` is of what is
            seen.
        """
        ...


@runtime_checkable
class HasPretrainingHead(Protocol):
    """An encoder whose weights came with a head that predicts hidden tokens, for ``[decoder] use = "own"``."""

    def pretraining_head(self) -> nn.Module:
        """From ``(K, token_width)`` to ``(K, classes)``; what it shares with the encoder, it shares.

        Raises:
            CoviewError: If there is none after all.
        """
        ...


@runtime_checkable
class TrainsMaskToken(Protocol):
    """An encoder with a learnt token of its own for hidden ones, which without a mask is no trained parameter."""

    def train_mask_token(self) -> None:
        """Is called once, before the first step, in a recipe whose mask replaces tokens."""
        ...
