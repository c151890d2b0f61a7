"""A linear probe: how well does a linear classifier on frozen features tell the classes?"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import torch
from annotated_types import Ge
from torch import Tensor

from coview.builtin.evaluators.logistic import LogisticRegression, Weights
from coview.builtin.evaluators.standardise import Standardise
from coview.data.rng import Rng
from coview.evaluate.evaluator import KnownData
from coview.evaluate.features import Features
from coview.evaluate.label_budget import LabelBudgets, LabelsPerClass, as_budgets, check_known_budgets, draw_labels
from coview.evaluate.labelled import accuracy_result, check_classes, labelled_split
from coview.evaluate.result import Result

STRENGTHS = tuple(10.0**-power for power in range(5))
"""The penalties that are tried, from the strongest to the weakest; each starts where the one before ended."""

BUDGET_STRENGTH = 1e-2
"""The penalty under a budget of labels, which leaves none to choose by."""


class LinearProbe:
    """Multinomial logistic regression on frozen features (arXiv:1610.01644).

    With all labels the strength of the penalty is the one of the highest accuracy on the validation split, and the
    classifier is fitted again on train and validation together. With a budget of labels the validation labels would
    break the budget: the strength is fixed.
    Features are standardised by the mean and spread of the samples that are fitted.

    Args:
        labels_per_class: Labelled training samples of each class, such as 10, a share of them, such as "10%", or
            "all"; one result for each.
        draws: How often the labelled samples are drawn, at least 1; the result is the mean.
    """

    splits = ("train", "validation", "test")
    labels: Literal["class"] = "class"

    def __init__(
        self,
        *,
        labels_per_class: LabelBudgets = ("all",),
        draws: Annotated[int, Ge(1)] = 5,
    ) -> None:
        self.budgets = as_budgets(labels_per_class)
        self.draws = draws

    def check(self, data: KnownData, /) -> None:
        """Refuses a budget of more labels than a class has."""
        check_known_budgets(data, self.budgets)

    def __call__(self, features: Features, rng: Rng) -> list[Result]:
        """The accuracy on the test split, for each budget of labels."""
        train, validation = labelled_split(features, "train"), labelled_split(features, "validation")
        test_ND, test_N = labelled_split(features, "test")
        check_classes(train[1])
        classes = 1 + max(int(labels.max()) for labels in (train[1], validation[1], test_N))
        drawn = draw_labels(train[1].cpu().numpy(), self.budgets, self.draws, rng, features.classes)
        results = []
        for budget, draws in drawn.items():
            hits, chosen = [], []
            for draw in draws:
                if budget == "all":
                    strength = _best_on_validation(train, validation, classes)
                    x_ND, y_N = torch.cat([train[0], validation[0]]), torch.cat([train[1], validation[1]])
                else:
                    rows = torch.from_numpy(draw).to(train[0].device)
                    x_ND, y_N = train[0][rows], train[1][rows]
                    strength = BUDGET_STRENGTH
                scale = Standardise(x_ND)
                weights = LogisticRegression(scale(x_ND), y_N, classes).fit(strength)
                hits.append(weights.predict(scale(test_ND)) == test_N)
                chosen.append(strength)
            protocol: dict[str, Any] = {
                "objective": "mean cross-entropy + l2 / 2 · sum of squared weights, intercepts free",
                "standardised": "by the samples that are fitted",
                **_strength_protocol(budget),
                "labels_per_class": budget,
                "chosen": {"l2": chosen},
            }
            results.append(accuracy_result(hits, rng.numpy, protocol))
        return results


def _strength_protocol(budget: LabelsPerClass) -> dict[str, Any]:
    if budget != "all":
        return {"l2_by": f"fixed at {BUDGET_STRENGTH:g}"}
    by = "accuracy on the validation split; fitted again on train and validation"
    return {"l2_grid": list(STRENGTHS), "l2_by": by}


def _path_hits(fit: LogisticRegression, x_ND: Tensor, y_N: Tensor) -> list[int]:
    """For each strength, how many of the samples are classified rightly."""
    hits: list[int] = []
    weights: Weights | None = None
    for strength in STRENGTHS:
        weights = fit.fit(strength, start=weights)
        hits.append(int((weights.predict(x_ND) == y_N).sum()))
    return hits


def _best_on_validation(train: tuple[Tensor, Tensor], validation: tuple[Tensor, Tensor], classes: int) -> float:
    """The strength of the highest validation accuracy, the strongest of equals."""
    scale = Standardise(train[0])
    fit = LogisticRegression(scale(train[0]), train[1], classes)
    return STRENGTHS[int(np.argmax(_path_hits(fit, scale(validation[0]), validation[1])))]
