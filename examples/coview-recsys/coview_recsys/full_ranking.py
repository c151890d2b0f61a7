"""The evaluator: all items ranked for each user, beside the results of popularity and co-occurrence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge
from torch import Tensor

import coview
from coview.evaluating import intervals
from coview_recsys.data.bipartite import Bipartite
from coview_recsys.modalities import Item, User

_AT_A_TIME = 256


class FullRanking:
    """Recall@k and NDCG@k of the test items of each user among all items but those that the user chose in training.

    Nothing is sampled: Krichene and Rendle (KDD 2020) show that a ranking of sampled items says something else.
    Recall@k is the share of a user's test items among the first k. NDCG@k discounts each of them by the logarithm of
    its rank, and divides by the best that is possible, as in RecBole. Both are means over users who have test items.
    Items of equal score are in the order of their numbers.

    The score of an item is the inner product of the projections of user and item. Two rankings that learn nothing stand
    beside it: ``popularity``, by how many users have chosen an item, and ``co-occurrence``, by how many users have
    chosen it together with each of the user's items.

    Args:
        k: At which ranks, each at least 1.
    """

    splits = ("test",)
    labels = None
    modalities = ("user", "item")
    of_data: tuple[str, ...] = ("user", "item")

    def __init__(self, *, k: tuple[Annotated[int, Ge(1)], ...] = (20,)) -> None:
        if not k or len(set(k)) < len(k):
            raise ValueError(f"k has to have one number or more, each once, got {list(k)}")
        self.k = k

    def evaluate_cross_modal(self, subject: coview.CrossModalSubject, rng: coview.Rng, /) -> list[coview.Result]:
        """Recall and NDCG at each k, of the model and of the two rankings that learn nothing.

        Raises:
            CoviewError: If the data do not have a graph of users and items as their context.
        """
        data = subject.data("test")
        graph = data.context if isinstance(data, coview.HasContext) else None
        if not isinstance(graph, Bipartite):
            raise coview.CoviewError("full_ranking needs data of choices, such as interactions")
        chosen = [data[row].extras for row in range(len(data))]
        pairs_N2 = torch.tensor([[int(of["user"]), int(of["item"])] for of in chosen])
        users_T, of_T = pairs_N2[:, 0].unique(return_inverse=True)
        truth_TI = torch.zeros(len(users_T), graph.items, dtype=torch.bool)
        truth_TI[of_T, pairs_N2[:, 1]] = True
        u_TD = subject.project("user", [User(int(user)) for user in users_T]).cpu().double()
        i_ID = subject.project("item", [Item(item) for item in range(graph.items)]).cpu().double()
        known_UI = graph.matrix.cpu().double().to_dense()
        together_II = (known_UI.T @ known_UI).fill_diagonal_(0)
        scores = {
            "": lambda at: u_TD[at] @ i_ID.T,
            "popularity": lambda at: graph.item_degrees.cpu().double().expand(len(at), -1),
            "co-occurrence": lambda at: known_UI[users_T[at]] @ together_II,
        }
        protocol = {"candidates": "all items but those that the user chose in training", "score": "inner product"}
        results = []
        for of, score in scores.items():
            found: dict[str, list[Tensor]] = {}
            for at in torch.arange(len(users_T)).split(_AT_A_TIME):
                hidden = score(at).masked_fill(known_UI[users_T[at]] > 0, -torch.inf)
                for name, values in self._numbers(hidden, truth_TI[at]):
                    found.setdefault(name, []).append(values)
            how = protocol if not of else protocol | {"score": of}
            results += [_result(name, torch.cat(values).numpy(), how, of) for name, values in found.items()]
        return results

    def _numbers(self, score_TI: Tensor, truth_TI: Tensor) -> Iterator[tuple[str, Tensor]]:
        order_TI = score_TI.argsort(dim=1, descending=True, stable=True)
        hit_TI = truth_TI.gather(1, order_TI).double()
        there_T = truth_TI.sum(1)
        discount_I = 1 / torch.arange(2, hit_TI.shape[1] + 2, dtype=torch.float64).log2()
        best_I = discount_I.cumsum(0)
        for k in self.k:
            yield f"recall@{k}", hit_TI[:, :k].sum(1) / there_T
            gain_T = (hit_TI[:, :k] * discount_I[:k]).sum(1)
            yield f"ndcg@{k}", gain_T / best_I[there_T.clamp(max=min(k, len(best_I))) - 1]


def _result(name: str, values_T: np.ndarray, protocol: dict[str, Any], of: str) -> coview.Result:
    mean = float(values_T.mean())
    low, high = intervals.t_interval(mean, intervals.mean_variance(values_T, None))
    return coview.Result(
        name,
        mean,
        low,
        high,
        len(values_T),
        "test",
        {**protocol, "interval": "95 % t interval of the mean over users"},
        per_item=values_T.astype(np.float32),
        bounds=(0.0, 1.0),
        of=of,
    )
