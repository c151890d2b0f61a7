"""What an encoder returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Encoding:
    """A batch, encoded.  N sample · D width · T token.

    Attributes:
        pooled_ND: One vector for each sample; what evaluators and the projector see.
        tokens_NTD: The vectors before pooling, where the encoder has them.
        mask_NT: True where a token is real, False where it is padding; absent where there is none.
    """

    pooled_ND: Tensor
    tokens_NTD: Tensor | None = None
    mask_NT: Tensor | None = None
