"""A linear probe: how well does a linear classifier on frozen features tell the classes?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
import torch
from annotated_types import Ge, Gt, MinLen
from torch import Tensor

from coview.builtin.evaluators.logistic import LogisticRegression, Weights, is_small
from coview.builtin.evaluators.side_by_side import side_by_side
from coview.builtin.evaluators.standardise import Scaling, Standardise, scaling_protocol, scalings
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
    choices,
    draw_labels,
    labelled_split,
    rows_of_budgets,
)

STRENGTHS = tuple(10.0**-power for power in range(5))
"""The penalties that are tried, from the strongest to the weakest; each starts where the one before ended."""

_TO_CHOOSE = 1e-5
"""The tolerance of fits that are only compared by their accuracy, which a smaller one would not change by a sample in
a thousand. What is reported is fitted to the default."""

BUDGET_STRENGTH = 1e-2
"""The penalty under a budget of labels, which leaves none to choose by."""


@dataclass(frozen=True)
class Point:
    """What a classifier is fitted with.

    Attributes:
        standardise: Whether each feature is in units of its own spread.
        strength: The penalty: l2, or scikit-learn's C where the evaluator was given one.
    """

    standardise: bool
    strength: float


_Rows = Tensor | slice


@dataclass(frozen=True)
class _Samples:
    """What is fitted to some rows of, and judged by others.  N sample · D feature."""

    x_ND: Tensor
    y_N: Tensor
    classes: int

    def all_of(self, fits: Sequence[Callable[[], Any]]) -> list[Any]:
        """What fits to rows of these give: small ones side by side; others one by one, as each copies its rows."""
        return side_by_side(fits) if is_small(self.x_ND, self.classes) else [fit() for fit in fits]


class LinearProbe:
    """Multinomial logistic regression on frozen features (arXiv:1610.01644).

    With all labels the strength of the penalty, and whether features are standardised, are those of the highest
    accuracy: on the validation split where the data has one; else, in the mean, on folds of the training split with no
    group in two of them, or on a tenth of it that is large. Fits that are only compared stop sooner than the one that
    is reported: the classifier is fitted again on train and validation together. With a budget of labels the
    validation labels would break the budget: the strength is fixed, and features are standardised.

    What scikit-learn's ``LogisticRegression()`` does is ``standardise = false, c = 1``: nothing is then chosen, and all
    of the training split is fitted.

    Args:
        labels_per_class: Labelled training samples of each class, such as 10, a share of them, such as "10%", or
            "all"; one result for each.
        draws: How often the labelled samples are drawn, at least 1; the result is the mean.
        standardise: true: each feature in units of its spread; false: as they are; "choose": what judges better.
        c: scikit-learn's ``C``, above 0, or several to choose from, which needs all labels. Absent: penalties of
            1 to 0.0001 for the mean of the samples' losses, whatever their number, are chosen from.
    """

    labels: Literal["class"] = "class"

    def __init__(
        self,
        *,
        labels_per_class: LabelBudgets = ("all",),
        draws: Annotated[int, Ge(1)] = 5,
        standardise: Scaling = "choose",
        c: Annotated[float, Gt(0)] | Annotated[tuple[Annotated[float, Gt(0)], ...], MinLen(1)] | None = None,
    ) -> None:
        self.budgets = as_budgets(labels_per_class)
        self.draws, self.standardise = draws, standardise
        self.c: tuple[float, ...] = () if c is None else (c,) if isinstance(c, int | float) else tuple(sorted(c))
        if len(self.c) > 1 and self.budgets != ("all",):
            raise ValueError('c has several values, and only labels_per_class = "all" leaves labels to choose by')
        self.chooses = standardise == "choose" or len(self.c) != 1
        self.splits = ("train", "validation", "test") if self.chooses else ("train", "test")

    def check(self, data: KnownData, /) -> None:
        """Refuses a budget of more labels than a class has."""
        check_known_budgets(data, self.budgets)

    def rows_read(self, features: Features, rng: Rng, /) -> Mapping[str, np.ndarray]:
        """What is drawn of the training split."""
        return rows_of_budgets(features, self.budgets, self.draws, rng)

    def __call__(self, features: Features, rng: Rng) -> list[Result]:
        """The accuracy on the test split, for each budget of labels."""
        train_ND, train_N = labelled_split(features, "train")
        test_ND, test_N = labelled_split(features, "test")
        check_classes(train_N)
        every_N = torch.cat([train_N, labelled_split(features, "validation")[1]]) if self.chooses else train_N
        classes = 1 + max(int(labels.max()) for labels in (every_N, test_N))
        drawn = draw_labels(train_N.cpu().numpy(), self.budgets, self.draws, rng, features.classes)
        results = []
        for budget, draws in drawn.items():
            point, how = self._fixed, self._fixed_protocol()
            samples = _Samples(train_ND, train_N, classes)
            fitted: list[_Rows] = [torch.from_numpy(draw).to(train_ND.device) for draw in draws]
            if budget == "all" and self.chooses:
                by = choices(features, every_N)
                samples, fitted = _Samples(by.x_ND, every_N, classes), [slice(None)]
                point, how = self._best(samples, by.rows), self._chosen_protocol(by.by)
            said = samples.all_of([partial(self._classes_of, samples, rows, point, test_ND) for rows in fitted])
            hits = [said_N == test_N for said_N in said]
            protocol: dict[str, Any] = {
                "objective": "mean cross-entropy + l2 / 2 · sum of squared weights, intercepts free",
                **how,
                "labels_per_class": budget,
                "chosen": {
                    "c" if self.c else "l2": [point.strength] * len(fitted),
                    "standardise": [point.standardise] * len(fitted),
                },
            }
            results.append(accuracy_result(hits, rng.numpy, protocol, features["test"].groups_N))
        return results

    @property
    def _fixed(self) -> Point:
        """What is fitted with where nothing is chosen."""
        return Point(self.standardise is not False, self.c[0] if self.c else BUDGET_STRENGTH)

    def _l2(self, strength: float, y_N: Tensor, scale: Standardise) -> float:
        """The penalty in the units of the scaled features.

        Of two classes scikit-learn fits one vector of weights, and we two that are its halves.
        """
        if not self.c:
            return strength
        halves = 2 if len(y_N.unique()) == 2 else 1
        return halves / (strength * len(y_N) * scale.unit**2)

    def _classes_of(self, samples: _Samples, rows: _Rows, point: Point, judged_MD: Tensor) -> Tensor:
        """What a classifier that is fitted to some rows says of other features."""
        x_ND, y_N = samples.x_ND[rows], samples.y_N[rows]
        scale = Standardise(x_ND, each=point.standardise)
        fit = LogisticRegression(scale(x_ND), y_N, samples.classes)
        return fit.fit(self._l2(point.strength, y_N, scale)).predict(scale(judged_MD))

    def _best(self, samples: _Samples, folds: Sequence[tuple[Tensor, Tensor]]) -> Point:
        """What has the highest accuracy in the mean over folds: of equals standardised, and the strongest penalty."""
        tried = scalings(self.standardise)
        found = samples.all_of([partial(self._accuracies, samples, *fold, each) for fold in folds for each in tried])
        points = [Point(each, s) for each in tried for s in self.c or STRENGTHS]
        accuracy_FP = np.reshape(found, (len(folds), len(points)))
        return points[int(np.argmax(accuracy_FP.mean(axis=0).round(9)))]

    def _accuracies(self, samples: _Samples, fitted: Tensor, judged: Tensor, each: bool) -> list[float]:
        """By one scaling, of each strength, fitted to some rows, on others."""
        x_ND, y_N = samples.x_ND[fitted], samples.y_N[fitted]
        scale = Standardise(x_ND, each=each)
        fit, held_ND = LogisticRegression(scale(x_ND), y_N, samples.classes), scale(samples.x_ND[judged])
        found: list[float] = []
        weights: Weights | None = None
        for strength in self.c or STRENGTHS:
            weights = fit.fit(self._l2(strength, y_N, scale), start=weights, tolerance=_TO_CHOOSE)
            found.append(float((weights.predict(held_ND) == samples.y_N[judged]).double().mean()))
        return found

    def _fixed_protocol(self) -> dict[str, Any]:
        fixed = {"c": self.c[0]} if self.c else {"l2_by": f"fixed at {BUDGET_STRENGTH:g}"}
        return {**scaling_protocol(self._fixed.standardise), **fixed}

    def _chosen_protocol(self, by: str) -> dict[str, Any]:
        name = "c" if self.c else "l2"
        return {
            **scaling_protocol(self.standardise),
            f"{name}_grid": list(self.c or STRENGTHS),
            f"{name}_by": f"accuracy on {by}; fitted again on train and validation",
        }
