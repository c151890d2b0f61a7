"""LightGCN: the vectors of users and items, averaged over their neighbours in the graph of choices."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn
from torch.nn.functional import normalize

import coview
from coview_recsys.data.bipartite import Bipartite
from coview_recsys.encoders.check_numbers import check_numbers

Count = Annotated[int, Ge(1)]


class LightGCN(nn.Module):
    """Light graph convolution (He et al., SIGIR 2020, arXiv:2002.02126, equations 3 and 4).

    A layer replaces each vector by the sum over its neighbours, divided by the roots of both degrees. The result is the
    mean over all layers, with the vectors that are trained as layer 0. There is nothing else in it to train.

    In a context with noise, as ``embedding_noise`` makes it, each layer's vectors move by noise of a fixed length that
    keeps their signs, and layer 0 is not in the mean (SimGCL, Yu et al., SIGIR 2022, arXiv:2112.08679, equation 7).

    Users and items are of one encoder: ``[encoder.item] shared = "user"``.

    Args:
        users: How many users there are: one more than the highest number.
        items: How many items there are: one more than the highest number.
        width: Of the representations.
        layers: Of the graph that are averaged, beside the vectors themselves.
        std: Of the normal distribution of the first vectors.
    """

    takes_context = True

    def __init__(
        self,
        *,
        users: Count,
        items: Count,
        width: Count = 64,
        layers: Count = 3,
        std: Annotated[float, Gt(0)] = 0.1,
    ) -> None:
        super().__init__()
        self.width, self.layers = width, layers
        self.users = nn.Embedding(users, width)
        self.items = nn.Embedding(items, width)
        nn.init.normal_(self.users.weight, std=std)
        nn.init.normal_(self.items.weight, std=std)

    def check_batch(self, batch: dict[str, Tensor]) -> None:
        """Refuses users and items that have no vector."""
        check_numbers(batch, users=self.users.num_embeddings, items=self.items.num_embeddings)

    def forward(self, batch: dict[str, Tensor], context: Bipartite) -> coview.Encoding:
        """The representations of users, or of items."""
        users_UD, items_ID = self.tables(context)
        of_batch = users_UD[batch["user"]] if "user" in batch else items_ID[batch["item"]]
        return coview.Encoding(of_batch)

    def tables(self, context: Bipartite) -> tuple[Tensor, Tensor]:
        """The representations of all users ``(U, D)`` and of all items ``(I, D)``.

        Raises:
            CoviewError: If the graph has other numbers of users or items.
        """
        asked, here = (context.users, context.items), (self.users.num_embeddings, self.items.num_embeddings)
        if asked != here:
            raise coview.CoviewError(
                f"the data have {asked[0]:,} users and {asked[1]:,} items, and lightgcn has vectors for "
                f"{here[0]:,} and {here[1]:,}",
                hint=f"set encoder.user.users to {asked[0]} and encoder.user.items to {asked[1]}",
            )
        layers = [(self.users.weight, self.items.weight)]
        with torch.autocast(self.users.weight.device.type, enabled=False):  # there is no sparse product in bf16
            graph_UI = context.normalised
            noise = _Noise(context, self.users.weight.device) if context.noise else None
            for _ in range(self.layers):
                users_UD, items_ID = layers[-1]
                step = torch.sparse.mm(graph_UI, items_ID), torch.sparse.mm(graph_UI.T, users_UD)
                layers.append(step if noise is None else (noise(step[0]), noise(step[1])))
        averaged = layers if noise is None else layers[1:]
        users, items = zip(*averaged, strict=True)
        return torch.stack(users).mean(0), torch.stack(items).mean(0)


class _Noise:
    """The noise of SimGCL: a direction drawn uniformly from the positive orthant, with the signs of the vector."""

    def __init__(self, context: Bipartite, device: torch.device) -> None:
        self._length = context.noise
        self._generator = torch.Generator(device).manual_seed(context.noise_seed)

    def __call__(self, x_ND: Tensor) -> Tensor:
        drawn_ND = torch.rand(x_ND.shape, generator=self._generator, device=x_ND.device)
        return x_ND + x_ND.detach().sign() * normalize(drawn_ND, dim=-1) * self._length
