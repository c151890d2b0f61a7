"""Are the samples that are nearest to one of its class?"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import torch
from annotated_types import Ge
from scipy import stats
from torch import Tensor
from torch.nn.functional import normalize

from coview.data.rng import Rng
from coview.errors import CoviewError
from coview.evaluate.features import Features
from coview.evaluate.labelled import check_classes, labelled_split
from coview.evaluate.result import Result

_AT_A_TIME = 256


class Retrieval:
    """Each test sample looks for others of its class among the rest of the test split, by cosine.

    Recall@k is the share of queries with one of their class among the k nearest (as in metric learning), MRR the mean
    of 1 / rank of the first of them, mAP the mean over queries of the average precision over all of them. A sample that
    is the only one of its class is no query. Nothing is fitted and nothing is chosen.

    Args:
        k: At which numbers of neighbours recall is given, each at least 1.
    """

    splits = ("test",)
    labels: Literal["class"] = "class"

    def __init__(self, *, k: tuple[Annotated[int, Ge(1)], ...] = (1, 5, 10)) -> None:
        if len(set(k)) < len(k) or not k:
            raise ValueError(f"k has to have one number or more, each once, got {list(k)}")
        self.k = k

    def __call__(self, features: Features, rng: Rng) -> list[Result]:
        """Recall at each k, mAP and MRR, with intervals over queries.

        Raises:
            CoviewError: If no sample has another of its class.
        """
        x_ND, labels_N = labelled_split(features, "test")
        check_classes(labels_N)
        x_ND = normalize(x_ND)
        queries_Q = torch.nonzero(labels_N.bincount()[labels_N] > 1)[:, 0]
        if len(queries_Q) == 0:
            raise CoviewError("no sample of the test split has another of its class to be found")
        parts = [_ranked(x_ND, labels_N, rows) for rows in queries_Q.split(_AT_A_TIME)]
        first_Q, precision_Q = (torch.cat(columns).cpu().numpy() for columns in zip(*parts, strict=True))
        numbers = {f"recall@{k}": (first_Q <= k).astype(np.float64) for k in self.k}
        numbers |= {"map": precision_Q, "mrr": 1 / first_Q}
        protocol: dict[str, Any] = {
            "similarity": "cosine",
            "queries": "every test sample with another of its class",
            "gallery": "the other test samples",
            "interval": "95 % normal interval of the mean over queries",
        }
        return [_result(name, values, protocol) for name, values in numbers.items()]


def _ranked(x_ND: Tensor, labels_N: Tensor, rows_Q: Tensor) -> tuple[Tensor, Tensor]:
    """The rank of the first relevant sample of each query, from 1, and the query's average precision."""
    similarity_QN = x_ND[rows_Q] @ x_ND.T
    similarity_QN[torch.arange(len(rows_Q)), rows_Q] = -torch.inf  # a query is last in its own list
    order_QN = similarity_QN.argsort(dim=1, descending=True, stable=True)[:, :-1]
    relevant_QN = labels_N[order_QN] == labels_N[rows_Q][:, None]
    rank_N = torch.arange(1, relevant_QN.shape[1] + 1, device=x_ND.device, dtype=torch.float64)
    precision_QN = relevant_QN.cumsum(1) / rank_N
    average_Q = (precision_QN * relevant_QN).sum(1) / relevant_QN.sum(1)
    return relevant_QN.double().argmax(1) + 1, average_Q


def _result(name: str, values_Q: np.ndarray, protocol: dict[str, Any]) -> Result:
    mean, half = float(values_Q.mean()), 0.0
    if len(values_Q) > 1:
        half = float(stats.norm.ppf(0.975) * stats.sem(values_Q))
    return Result(
        name, mean, mean - half, mean + half, len(values_Q), "test", protocol, per_item=values_Q.astype(np.float32)
    )
