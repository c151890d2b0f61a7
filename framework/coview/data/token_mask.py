"""What is hidden of a batch, token by token, before it is encoded.

The contract of masks, which plugins implement, and what an encoder gets of them.  N row, one for each view of each
sample · T token · B group of tokens that are predicted together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, Protocol

import torch
from torch import Tensor

from coview.data.batch_rng import BatchRng

Hide = Literal["replace", "drop"]


@dataclass(frozen=True)
class TokenLayout:
    """Which tokens a batch has, and how they lie: what a mask may hide, and where.

    Attributes:
        real_NT: True where a token is one, False where it is padding.
        maskable_NT: True where it may be hidden: never padding, nor a class token or a separator.
        shape: How the last tokens lie: ``(T,)`` in a row, or ``(height, width)`` row by row. For a spectrogram the
            height is frequency and the width is time.
        words_NT: The word that each token is of, counted from 0 in each row, -1 for none; absent where there are none.
    """

    real_NT: Tensor
    maskable_NT: Tensor
    shape: tuple[int, ...]
    words_NT: Tensor | None = None

    def __post_init__(self) -> None:
        """Checks itself.

        Raises:
            ValueError: If shapes do not fit each other.
        """
        if self.real_NT.shape != self.maskable_NT.shape or self.real_NT.ndim != 2:
            raise ValueError(f"real_NT is {tuple(self.real_NT.shape)}, and maskable_NT {tuple(self.maskable_NT.shape)}")
        if self.prefix < 0:
            raise ValueError(f"a layout of {self.shape} has more than {self.real_NT.shape[1]} tokens")

    @property
    def prefix(self) -> int:
        """How many tokens come before those that lie in the shape, such as a class token."""
        return int(self.real_NT.shape[1]) - torch.Size(self.shape).numel()

    @property
    def grid_NT(self) -> Tensor:  # noqa: N802
        """``maskable_NT`` of the tokens that lie in the shape."""
        return self.maskable_NT[:, self.prefix :]

    def whole(self, grid_NT: Tensor) -> Tensor:
        """``(N, T)`` of all tokens, of something for those that lie in the shape: zero, or false, for those before."""
        return torch.cat([grid_NT.new_zeros((len(grid_NT), self.prefix)), grid_NT], 1)

    def map_tensors(self, change: Callable[[Tensor], Tensor]) -> TokenLayout:
        """The same with every tensor changed."""
        words = None if self.words_NT is None else change(self.words_NT)
        return replace(self, real_NT=change(self.real_NT), maskable_NT=change(self.maskable_NT), words_NT=words)


@dataclass(frozen=True)
class Hidden:
    """What a mask makes.

    Attributes:
        hidden_NT: True where the encoder is not to see a token.
        wanted_NBT: True where a token is to be predicted, in groups of which each is predicted by itself, without
            sight of the others' places; absent: what is hidden, in one group. It may be less than what is hidden, or
            more: of padding nothing is predicted.
    """

    hidden_NT: Tensor
    wanted_NBT: Tensor | None = None


class Mask(Protocol):
    """Hides some tokens of each row: a pure function of (seed, epoch, sample, view), whatever else is in the batch.

    The registered target is called as ``target(**parameters)``, and is cheap.
    """

    def __call__(self, layout: TokenLayout, rng: BatchRng, /) -> Hidden:
        """What is hidden of each row; what may not be hidden is taken out afterwards.

        More padding must not change it: of what is drawn once for each token, draw it last, or several numbers for a
        token at once (``rng.uniform(2 * T).unflatten(1, (T, 2))``).

        Raises:
            CoviewError: If it cannot be used on tokens that lie so.
        """
        ...


@dataclass(frozen=True)
class TokenMask:
    """What an encoder gets of a mask.

    Attributes:
        layout: Of the tokens.
        hidden_NT: What has to be hidden: a part of what may be.
        replaced_NT: What of it a learnt token stands for, with ``hide = "replace"``; the rest is kept or swapped.
        swap_NT: Where a token is replaced by another one: a number from 0 to below 1 that says by which; -1 elsewhere.
            Absent where none is.
        wanted_NBT: What has to be predicted.
        hide: How.
    """

    layout: TokenLayout
    hidden_NT: Tensor
    replaced_NT: Tensor
    wanted_NBT: Tensor
    hide: Hide
    swap_NT: Tensor | None = None

    @property
    def seen_NT(self) -> Tensor:  # noqa: N802
        """True where a real token comes out of the encoder."""
        return self.layout.real_NT & ~self.hidden_NT if self.hide == "drop" else self.layout.real_NT

    def map_tensors(self, change: Callable[[Tensor], Tensor]) -> TokenMask:
        """The same with every tensor changed."""
        return replace(
            self,
            layout=self.layout.map_tensors(change),
            hidden_NT=change(self.hidden_NT),
            replaced_NT=change(self.replaced_NT),
            wanted_NBT=change(self.wanted_NBT),
            swap_NT=None if self.swap_NT is None else change(self.swap_NT),
        )

    @cached_property
    def places(self) -> tuple[Tensor, Tensor, Tensor]:
        """Row, group and token of each prediction, ``(K,)`` each: in the order that decoders make them.

        Found once, since a GPU has to be waited for.
        """
        row_K, group_K, token_K = self.wanted_NBT.nonzero(as_tuple=True)
        return row_K, group_K, token_K
