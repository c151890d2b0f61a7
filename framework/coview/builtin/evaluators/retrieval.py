"""Are the samples that are nearest to one of its class, or the one that belongs to it in another modality?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain, permutations
from typing import Annotated, Any, Literal

import numpy as np
import torch
from annotated_types import Ge, MinLen
from torch import Tensor
from torch.nn.functional import normalize

from coview.data.rng import Rng
from coview.errors import CoviewError
from coview.evaluate.cross_modal_subject import CrossModalSubject
from coview.evaluate.evaluator import KnownData
from coview.evaluate.features import Features, FeatureSplit
from coview.evaluate.result import Result
from coview.evaluating import chance_of_search, check_classes, finite_features, intervals, labelled_split

_AT_A_TIME = 256


class Retrieval:
    """Each test sample looks by cosine for others of its class in the test split, or for its own in another modality.

    Recall@k is the share of queries with a right one among the k nearest (as in metric learning), MRR the mean of
    1 / rank of the first right one, mAP the mean over queries of the average precision over all of them. Nothing is
    fitted and nothing is chosen.

    Within a modality the representations of all other test samples are searched, those of the same class are right, and
    a sample that is the only one of its class is not a query. Across modalities, with ``query`` and ``gallery``, the
    projections of all test samples are searched, as in CLIP (arXiv:2103.00020, section 3.1), and right is what is the
    same sample: a text finds the picture that it belongs to. Then one row is right, and mAP equals MRR. Where samples
    have several values of a modality, such as captions, each of them is a query and a row of the gallery, and any row
    of the same sample is right. ``between`` does so for all pairs of some modalities, both ways, also for those that no
    loss has brought together: a sound finds its picture where both were trained with texts. A sample that the gallery
    lacks is not a query.

    Each number comes with the value that a random order of the gallery would have.

    Args:
        k: At which numbers of neighbours recall is given, each at least 1.
        query: The modality that is searched by, such as "text"; absent: within the modality of the run.
        gallery: The modality that is searched, such as "image"; goes with ``query``.
        between: Two modalities or more, of which each is searched by each other, such as ["image", "text"]; in place of
            ``query`` and ``gallery``.
    """

    splits = ("test",)

    def __init__(
        self,
        *,
        k: tuple[Annotated[int, Ge(1)], ...] = (1, 5, 10),
        query: str | None = None,
        gallery: str | None = None,
        between: Annotated[tuple[str, ...], MinLen(2)] | None = None,
    ) -> None:
        if len(set(k)) < len(k) or not k:
            raise ValueError(f"k has to have one number or more, each once, got {list(k)}")
        if (query is None) != (gallery is None):
            given, lacking = ("query", "gallery") if gallery is None else ("gallery", "query")
            raise ValueError(f"{given} is given without {lacking}: they go together")
        if query is not None and query == gallery:
            raise ValueError(f"query and gallery are both {query!r}: leave both out to search within one modality")
        if between is not None and query is not None:
            raise ValueError(
                "between is given with query and gallery: it measures all pairs in both directions, so leave these out"
            )
        if between is not None and len(set(between)) < len(between):
            raise ValueError(f"between has to name each modality once, got {list(between)}")
        self.k = k
        self._ways: tuple[tuple[str, str], ...] = () if query is None or gallery is None else ((query, gallery),)
        if between is not None:
            self._ways = tuple(permutations(between, 2))
        self.modalities: tuple[str, ...] = between or tuple(name for way in self._ways for name in way)
        self.of_data = self.modalities
        self.labels: Literal["class"] | None = None if self.modalities else "class"

    def check(self, data: KnownData, /) -> None:
        """Refuses data of which no test sample has another of its class."""
        labels_N = data.labels.get("test")
        if not self.modalities and labels_N is not None and (np.bincount(labels_N) < 2).all():
            raise CoviewError("no sample of the test split has another one of its class")

    def __call__(self, features: Features, rng: Rng) -> list[Result]:
        """Recall at each k, mAP and MRR within one modality, with intervals over queries.

        Raises:
            CoviewError: If no sample has another of its class.
        """
        x_ND, labels_N = labelled_split(features, "test")
        check_classes(labels_N)
        x_ND = normalize(x_ND)
        queries_Q = torch.nonzero(labels_N.bincount()[labels_N] > 1)[:, 0]
        if len(queries_Q) == 0:
            raise CoviewError("no sample of the test split has another one of its class")

        def ranked(rows_Q: Tensor) -> tuple[Tensor, Tensor]:
            similarity_QN = x_ND[rows_Q] @ x_ND.T
            similarity_QN[torch.arange(len(rows_Q)), rows_Q] = -torch.inf  # a query is last in its own list
            relevant_QN = labels_N == labels_N[rows_Q][:, None]
            return _ranked(similarity_QN, relevant_QN, last_is_itself=True)

        protocol = {"queries": "every test sample with another of its class", "gallery": "the other test samples"}
        groups_N = features["test"].groups_N
        of_queries = None if groups_N is None else groups_N[queries_Q.cpu()]
        relevant_Q = labels_N.bincount()[labels_N[queries_Q]] - 1
        chance = chance_of_search(relevant_Q.cpu().numpy(), len(x_ND) - 1, self.k)
        return self._results([ranked(rows_Q) for rows_Q in queries_Q.split(_AT_A_TIME)], protocol, of_queries, chance)

    def evaluate_cross_modal(self, subject: CrossModalSubject, rng: Rng, /) -> list[Result]:
        """The same across modalities, for each way in which one is searched by another.

        Raises:
            CoviewError: If no sample is in both.
        """
        splits = {name: subject.split(name, "test") for name in self.modalities}
        return list(chain.from_iterable(self._found(splits, *way) for way in self._ways))

    def _found(self, splits: Mapping[str, FeatureSplit], query: str, gallery: str) -> list[Result]:
        x_QD, x_ND = (finite_features(Features({"test": splits[name]}), "test") for name in (query, gallery))
        ids_Q, ids_N = (splits[name].ids_N.to(x_ND.device) for name in (query, gallery))
        there_Q = torch.isin(ids_Q, ids_N)
        if not there_Q.any():
            raise CoviewError(f"no sample of the test split has both {query} and {gallery}")
        x_QD, ids_Q = x_QD[there_Q], ids_Q[there_Q]
        known, times = ids_N.unique(return_counts=True)
        relevant_Q = times[torch.searchsorted(known, ids_Q)]
        parts = [
            _ranked(rows_QD @ x_ND.T, ids_N == of_Q[:, None])
            for rows_QD, of_Q in zip(x_QD.split(_AT_A_TIME), ids_Q.split(_AT_A_TIME), strict=True)
        ]
        chance = chance_of_search(relevant_Q.cpu().numpy(), len(x_ND), self.k)
        protocol = {"query": query, "gallery": gallery, "projections_of": sorted((query, gallery))}
        groups_Q = splits[query].groups_N
        groups_Q = None if groups_Q is None else groups_Q[there_Q.cpu()]
        return self._results(parts, protocol, groups_Q, chance, of=f"{query}-to-{gallery}")

    def _results(
        self,
        parts: list[tuple[Tensor, Tensor]],
        protocol: dict[str, Any],
        groups_Q: Tensor | None,
        chance: Mapping[str, float],
        of: str = "",
    ) -> list[Result]:
        first_Q, precision_Q = (torch.cat(columns).cpu().numpy() for columns in zip(*parts, strict=True))
        numbers = {f"recall@{k}": (first_Q <= k).astype(np.float64) for k in self.k}
        numbers |= {"map": precision_Q, "mrr": 1 / first_Q}
        groups = intervals.groups_of(groups_Q)
        method = "95 % t interval of the mean over queries" if groups is None else f"{groups.method} of the queries"
        protocol = {"similarity": "cosine", **protocol, "interval": method}
        return [
            replace(_result(name, values, protocol, groups), of=of, chance=chance[name])
            for name, values in numbers.items()
        ]


def _ranked(similarity_QN: Tensor, relevant_QN: Tensor, *, last_is_itself: bool = False) -> tuple[Tensor, Tensor]:
    """The rank of the first relevant sample of each query, from 1, and the query's average precision."""
    order_QN = similarity_QN.argsort(dim=1, descending=True, stable=True)
    if last_is_itself:
        order_QN = order_QN[:, :-1]
    relevant_QN = relevant_QN.gather(1, order_QN)
    rank_N = torch.arange(1, relevant_QN.shape[1] + 1, device=similarity_QN.device, dtype=torch.float64)
    precision_QN = relevant_QN.cumsum(1) / rank_N
    average_Q = (precision_QN * relevant_QN).sum(1) / relevant_QN.sum(1)
    return relevant_QN.double().argmax(1) + 1, average_Q


def _result(name: str, values_Q: np.ndarray, protocol: dict[str, Any], groups: intervals.Groups | None) -> Result:
    mean = float(values_Q.mean())
    return Result(
        name,
        mean,
        *intervals.t_interval(mean, intervals.mean_variance(values_Q, groups)),
        len(values_Q),
        "test",
        protocol,
        per_item=values_Q.astype(np.float32),
        item_groups=None if groups is None else groups.of_N,
        bounds=(0.0, 1.0),
    )
