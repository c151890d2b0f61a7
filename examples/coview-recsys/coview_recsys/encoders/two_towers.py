"""Two towers: a user is what he or she has chosen, and an item a vector of its own."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

import coview
from coview_recsys.data.bipartite import Bipartite
from coview_recsys.encoders.check_numbers import check_numbers

Count = Annotated[int, Ge(1)]


class History(nn.Module):
    """The mean over the items that a user has chosen of a vector for each of them.

    The item that a user looks for is left out, so that it has to be told from the others.

    Args:
        items: How many items there are: one more than the highest number.
        width: Of the representations.
    """

    takes_context = True

    def __init__(self, *, items: Count, width: Count = 64) -> None:
        super().__init__()
        self.width = width
        self.items = nn.Embedding(items, width)
        nn.init.normal_(self.items.weight, std=0.1)

    def forward(self, batch: dict[str, Tensor], context: Bipartite) -> coview.Encoding:
        """The representations of users."""
        table_ID = self.items.weight
        with torch.autocast(table_ID.device.type, enabled=False):  # there is no sparse product in bf16
            summed_ND = torch.sparse.mm(context.matrix, table_ID)[batch["user"]]
        is_known_N = batch["looks_for"] >= 0
        looked_for_ND = table_ID[batch["looks_for"].clamp(min=0)] * is_known_N[:, None]
        count_N = context.user_degrees[batch["user"]] - is_known_N.long()
        return coview.Encoding((summed_ND - looked_for_ND) / count_N.clamp(min=1)[:, None])


class Table(nn.Module):
    """A vector for each item.

    Args:
        items: How many items there are: one more than the highest number.
        width: Of the representations.
    """

    def __init__(self, *, items: Count, width: Count = 64) -> None:
        super().__init__()
        self.width = width
        self.items = nn.Embedding(items, width)
        nn.init.normal_(self.items.weight, std=0.1)

    def check_batch(self, batch: dict[str, Tensor]) -> None:
        """Refuses items that have no vector."""
        check_numbers(batch, items=self.items.num_embeddings)

    def forward(self, batch: dict[str, Tensor]) -> coview.Encoding:
        """The representations of items."""
        return coview.Encoding(self.items(batch["item"]))
