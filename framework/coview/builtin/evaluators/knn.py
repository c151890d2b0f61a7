"""Weighted nearest neighbours: how well do a few similar samples tell the class, with nothing learnt?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
import torch
from annotated_types import Ge, Gt

from coview.data.rng import Rng
from coview.evaluate.evaluator import KnownData
from coview.evaluate.features import Features
from coview.evaluate.result import Result
from coview.evaluating import (
    LabelBudgets,
    accuracy_result,
    as_budgets,
    check_classes,
    check_known_budgets,
    draw_labels,
    labelled_split,
    nearest,
    rows_of_budgets,
    vote,
)


class KNN:
    """Weighted nearest neighbours by cosine (Wu et al. 2018, arXiv:1805.01978, section 3.4).

    Each of the k training samples most similar to a test sample votes for its class with weight exp(cosine / T).
    Nothing is fitted and nothing is chosen.

    Args:
        k: Neighbours that vote, at least 1; the whole bank if that is smaller, as the protocol's ``k_used`` says.
            Wu et al. take 200 on ImageNet, DINO 20.
        temperature: T, above 0; the lower, the more the nearest decides. Wu et al. and DINO take 0.07.
        labels_per_class: Labelled training samples of each class, such as 10, a share of them, such as "10%", or
            "all"; one result for each.
        draws: How often the labelled samples are drawn, at least 1; the result is the mean.
    """

    splits = ("train", "test")
    labels: Literal["class"] = "class"

    def __init__(
        self,
        *,
        k: Annotated[int, Ge(1)] = 20,
        temperature: Annotated[float, Gt(0)] = 0.07,
        labels_per_class: LabelBudgets = ("all",),
        draws: Annotated[int, Ge(1)] = 5,
    ) -> None:
        self.k = k
        self.temperature = temperature
        self.budgets = as_budgets(labels_per_class)
        self.draws = draws

    def check(self, data: KnownData, /) -> None:
        """Refuses a budget of more labels than a class has."""
        check_known_budgets(data, self.budgets)

    def rows_read(self, features: Features, rng: Rng, /) -> Mapping[str, np.ndarray]:
        """What is drawn of the training split."""
        return rows_of_budgets(features, self.budgets, self.draws, rng)

    def __call__(self, features: Features, rng: Rng) -> list[Result]:
        """The accuracy on the test split, for each budget of labels."""
        bank_BD, labels_B = labelled_split(features, "train")
        queries_QD, labels_Q = labelled_split(features, "test")
        check_classes(labels_B)
        drawn = draw_labels(labels_B.cpu().numpy(), self.budgets, self.draws, rng, features.classes)
        results = []
        for budget, draws in drawn.items():
            k_used = min(self.k, len(draws[0]))
            hits = []
            for draw in draws:
                rows = torch.from_numpy(draw).to(bank_BD.device)
                bank, labels = (bank_BD, labels_B) if budget == "all" else (bank_BD[rows], labels_B[rows])
                cosines_Qk, neighbours_Qk = nearest(queries_QD, bank, k_used)
                hits.append(vote(cosines_Qk, labels[neighbours_Qk], self.temperature) == labels_Q)
            protocol: dict[str, Any] = {
                "k": self.k,
                "k_used": k_used,
                "temperature": self.temperature,
                "similarity": "cosine",
                "weight": "exp(similarity / temperature)",
                "labels_per_class": budget,
                "labels": len(draws[0]),
            }
            results.append(accuracy_result(hits, rng.numpy, protocol, features["test"].groups_N))
        return results
