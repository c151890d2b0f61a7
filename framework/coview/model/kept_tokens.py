"""Leaving out tokens that nobody looks at, so that no work is done for them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class KeptTokens:
    """Some of each row's tokens, moved together.  N row · T token · K most tokens that a row keeps · D width.

    Attributes:
        places_NK: Where each of them was, in their order; behind those of a row that keeps fewer, any.
        real_NK: True where it is one; None where every row keeps as many.
        tokens: T.
    """

    places_NK: Tensor
    real_NK: Tensor | None
    tokens: int

    @classmethod
    def of(cls, keep_NT: Tensor) -> KeptTokens:
        """Those where ``keep_NT`` is true. Waits for the device once, for their numbers.

        On the meta device, which has no values, all are kept.
        """
        if keep_NT.is_meta:
            places_NK = torch.arange(keep_NT.shape[1], device=keep_NT.device).expand(keep_NT.shape)
            return cls(places_NK, None, keep_NT.shape[1])
        counts_N = keep_NT.sum(1)
        fewest, most = torch.stack(counts_N.aminmax()).tolist() if len(counts_N) else (0, 0)
        places_NK = (~keep_NT).to(torch.uint8).sort(dim=1, stable=True).indices[:, :most]
        real_NK = None
        if fewest < most:
            real_NK = torch.arange(most, device=keep_NT.device) < counts_N[:, None]
        return cls(places_NK, real_NK, keep_NT.shape[1])

    @property
    def are_all(self) -> bool:
        """Whether no token is left out."""
        return self.real_NK is None and self.places_NK.shape[1] == self.tokens

    def take(self, x_NTD: Tensor) -> Tensor:
        """``(N, K, D)``."""
        return x_NTD.gather(1, self.places_NK[..., None].expand(-1, -1, x_NTD.shape[2]))

    def put_back(self, x_NKD: Tensor) -> Tensor:
        """``(N, T, D)``, zero where a token was left out."""
        if self.real_NK is not None:
            x_NKD = x_NKD * self.real_NK[..., None]
        whole_NTD = x_NKD.new_zeros((len(x_NKD), self.tokens, x_NKD.shape[2]))
        return whole_NTD.scatter_add(1, self.places_NK[..., None].expand_as(x_NKD), x_NKD)

    def bias(self, dtype: torch.dtype) -> Tensor | None:
        """What attention adds: ``(N, 1, 1, K)``, 0 for a token and minus infinity for none; None where all are one."""
        if self.real_NK is None:
            return None
        bias_NK = torch.zeros(self.real_NK.shape, dtype=dtype, device=self.real_NK.device)
        return bias_NK.masked_fill(~self.real_NK, -torch.inf)[:, None, None]
