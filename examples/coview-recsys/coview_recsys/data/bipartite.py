"""What all samples share: the graph of users and the items that they have chosen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Bipartite:
    """Users and items as nodes, and an edge for each choice of the training split.  U user · I item · E edge.

    Attributes:
        users_E, items_E: The user and the item of each edge, int64. No edge is there twice.
        users: How many users there are.
        items: How many items there are.
        noise: How far an encoder that takes noise moves each vector; 0 for not at all.
        noise_seed: Of this noise.
    """

    users_E: Tensor
    items_E: Tensor
    users: int
    items: int
    noise: float = 0.0
    noise_seed: int = 0

    def to(self, device: torch.device) -> Bipartite:
        """On another device."""
        return replace(self, users_E=self.users_E.to(device), items_E=self.items_E.to(device))

    @cached_property
    def matrix(self) -> Tensor:
        """Sparse, ``(U, I)``: 1 where a user has chosen an item."""
        return self._sparse(torch.ones(len(self.users_E), device=self.users_E.device))

    @cached_property
    def normalised(self) -> Tensor:
        """The same with each edge divided by the root of the degrees of its two nodes (LightGCN, equation 3)."""
        return self._sparse((self.user_degrees[self.users_E] * self.item_degrees[self.items_E]).float().rsqrt())

    def _sparse(self, of_E: Tensor) -> Tensor:
        edges_2E = torch.stack([self.users_E, self.items_E])
        return torch.sparse_coo_tensor(edges_2E, of_E, (self.users, self.items), check_invariants=False).coalesce()

    @cached_property
    def user_degrees(self) -> Tensor:
        """How many items each user has chosen."""
        return torch.bincount(self.users_E, minlength=self.users)

    @cached_property
    def item_degrees(self) -> Tensor:
        """How many users have chosen each item."""
        return torch.bincount(self.items_E, minlength=self.items)
