"""Episodes: how well do the means of a few samples of each class tell some classes apart?"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import torch
from annotated_types import Ge, MinLen
from torch import Tensor
from torch.nn.functional import normalize

from coview.data.rng import Rng
from coview.errors import CoviewError
from coview.evaluate.evaluator import KnownData
from coview.evaluate.features import Features
from coview.evaluate.result import Result
from coview.evaluating import intervals, labelled_split

_AT_A_TIME = 20


class FewShot:
    """N-way K-shot episodes by nearest class mean (prototypes, Snell et al. 2017, arXiv:1703.05175, section 2).

    Each episode draws ``ways`` classes of the test split, and of each some samples as shots and others as queries. A
    query belongs to the class whose shots' mean is nearest. Nothing is fitted and nothing is chosen. The interval is
    over episodes, the usual one: it says how well this test split's mean is known, not how another's would differ.
    Where the data has groups, it is over the groups of the queries besides.

    Args:
        ways: Classes in an episode, at least 2. Usual are 5 and 20.
        shots: Labelled samples of each class, each number at least 1; one result for each. Usual are 1 and 5.
        queries: Samples of each class that are classified, at least 1. Usual is 15.
        episodes: Number of episodes, at least 2. Usual are 600 and more.
        similarity: "cosine" takes the mean of representations of length 1 and the cosine with it, "euclidean" the mean
            and the distance of the representations as they are. Snell et al. take the latter.
    """

    splits = ("test",)
    labels: Literal["class"] = "class"

    def __init__(
        self,
        *,
        ways: Annotated[int, Ge(2)] = 5,
        shots: Annotated[tuple[Annotated[int, Ge(1)], ...], MinLen(1)] = (1, 5),
        queries: Annotated[int, Ge(1)] = 15,
        episodes: Annotated[int, Ge(2)] = 600,
        similarity: Literal["cosine", "euclidean"] = "cosine",
    ) -> None:
        if len(set(shots)) < len(shots):
            raise ValueError(f"shots has to have each number once, got {list(shots)}")
        self.ways = ways
        self.shots = shots
        self.queries = queries
        self.episodes = episodes
        self.similarity = similarity

    def check(self, data: KnownData, /) -> None:
        """Refuses more ways than the data has classes, or classes that are too small."""
        if data.classes is not None and len(data.classes) < self.ways:
            raise CoviewError(
                f"an episode takes {self.ways} classes, and the data has {len(data.classes)}", hint="ask for fewer ways"
            )
        if "test" in data.labels:
            self._large_classes(data.labels["test"])

    def __call__(self, features: Features, rng: Rng) -> list[Result]:
        """The mean accuracy over episodes, for each number of shots; all have the same classes and queries.

        Raises:
            CoviewError: If fewer than ``ways`` classes have as many samples as an episode takes.
        """
        x_ND, labels_N = labelled_split(features, "test")
        rows_EWK, n = self._draw(labels_N.cpu().numpy(), rng.numpy)
        if self.similarity == "cosine":
            x_ND = normalize(x_ND)
        protocol: dict[str, Any] = {
            "classifier": "nearest class mean",
            "similarity": self.similarity,
            "ways": self.ways,
            "queries": self.queries,
            "episodes": self.episodes,
            "samples_needed": rows_EWK.shape[2],
            "interval": "95 % t interval over episodes",
        }
        groups = intervals.groups_of(features["test"].groups_N)
        if groups is not None:
            protocol["interval"] = f"{groups.method} that queries are of, and over episodes"
        queries_M = rows_EWK[:, :, -self.queries :].flatten().numpy()
        results = []
        for shots in self.shots:
            parts = [self._hits(x_ND[rows], shots) for rows in rows_EWK.to(x_ND.device).split(_AT_A_TIME)]
            hits_EWQ = torch.cat(parts).double().cpu().numpy()
            mean, variances = float(hits_EWQ.mean()), intervals.draws_variance(hits_EWQ.mean((1, 2)))
            if groups is not None:
                times_N = np.bincount(queries_M, minlength=len(x_ND)).astype(np.float64)
                right_N = np.bincount(queries_M, hits_EWQ.ravel(), len(x_ND)) / np.maximum(times_N, 1)
                variances = (intervals.mean_variance(right_N, groups, times_N), *variances)
            ends = intervals.t_interval(mean, *variances)
            given = {**protocol, "labels_per_class": shots}
            count = None if groups is None else groups.count
            results.append(Result("accuracy", mean, *ends, n, "test", given, bounds=(0.0, 1.0), groups=count))
        return results

    @property
    def _needed(self) -> int:
        """Samples that an episode takes of each of its classes."""
        return max(self.shots) + self.queries

    def _large_classes(self, labels_N: np.ndarray) -> np.ndarray:
        """The classes that have as many samples as an episode takes."""
        present, counts = np.unique(labels_N, return_counts=True)
        large = present[counts >= self._needed]
        if len(large) < self.ways:
            raise CoviewError(
                f"an episode takes {self.ways} classes with {self._needed} samples each ({max(self.shots)} shots and "
                f"{self.queries} queries), and {len(large)} of the {len(present)} classes of the test split have them",
                hint="ask for fewer ways, shots or queries",
            )
        return large

    def _draw(self, labels_N: np.ndarray, generator: np.random.Generator) -> tuple[Tensor, int]:
        """For each episode and class its samples, the queries last; and how many samples may be drawn.

        Depends on the labels and the generator alone, so that every kind of features sees the same episodes.
        """
        needed, large = self._needed, self._large_classes(labels_N)
        of_class = {label: np.flatnonzero(labels_N == label) for label in large}
        rows_EWK = [
            [generator.choice(of_class[label], needed, replace=False) for label in drawn]
            for drawn in (generator.choice(large, self.ways, replace=False) for _ in range(self.episodes))
        ]
        return torch.from_numpy(np.array(rows_EWK)), sum(len(rows) for rows in of_class.values())

    def _hits(self, x_EWKD: Tensor, shots: int) -> Tensor:
        """Whether each query is classified rightly.  E episode · W class · K sample · Q query · P prototype."""
        means_EPD = x_EWKD[:, :, :shots].mean(2)
        queries_EWQD = x_EWKD[:, :, -self.queries :]
        if self.similarity == "cosine":
            nearest_EWQ = torch.einsum("ewqd,epd->ewqp", queries_EWQD, normalize(means_EPD, dim=2)).argmax(3)
        else:
            nearest_EWQ = torch.cdist(queries_EWQD.flatten(1, 2), means_EPD).argmin(2).view(queries_EWQD.shape[:3])
        truth_W1 = torch.arange(self.ways, device=x_EWKD.device)[:, None]
        return nearest_EWQ == truth_W1
