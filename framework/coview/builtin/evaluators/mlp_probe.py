"""A perceptron on frozen features: how well do they tell the classes where a straight line need not?"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
import torch
from annotated_types import Ge, Gt, Lt, MinLen
from torch import Tensor

from coview.builtin.evaluators.perceptron import Fitted, Init, Settings, Stopping, train
from coview.builtin.evaluators.standardise import Standardise
from coview.data.rng import Rng
from coview.evaluate.evaluator import KnownData
from coview.evaluate.features import Features
from coview.evaluate.result import Result
from coview.evaluating import (
    Choices,
    LabelBudgets,
    LabelsPerClass,
    accuracy_result,
    as_budgets,
    check_classes,
    check_known_budgets,
    choices,
    draw_labels,
    labelled_split,
    rows_of_budgets,
)

BUDGET_LAYERS = 1
BUDGET_LR = 1e-3
BUDGET_INIT: Init = "xavier_uniform"
BUDGET_EPOCHS = 100
"""Under a budget of labels, which leaves none to choose by: all that early stopping and the grid would choose."""


class MLPProbe:
    """HEAR's classifier on frozen features (Turian et al. 2022, arXiv:2203.03022, section 3).

    Hidden layers of 1024 with batch norm, dropout and ReLU, trained by Adam. Points of the grid ``layers`` × ``lr``
    × ``init`` are drawn, each is trained on the train split until the accuracy on the validation split rises no
    more, and the best of them by that accuracy is tested. Where the data has no validation split, and a tenth of
    train would have few samples or groups, each is trained so on folds of the training split with no group in two
    of them, and the best in the mean is trained on all of train, for the mean of its folds' epochs. With a budget
    of labels the validation labels would break the budget: one hidden layer, a learning rate of 1e-3,
    xavier_uniform and 100 epochs are fixed.
    Features are standardised by the mean and spread of the samples that are fitted, which HEAR does not do.

    HEAR tries 8 points, for at most 500 epochs, with a patience of 20. The defaults are for a processor: 50,000
    samples of 512 features take about 3 seconds an epoch of one core with one layer, and 7 with two.

    Args:
        layers: Numbers of hidden layers that may be drawn, each 1 or more. HEAR takes 1 and 2.
        lr: Learning rates that may be drawn, each above 0. HEAR takes 3.2e-3, 1e-3, 3.2e-4 and 1e-4.
        init: Initialisations of the weights that may be drawn. HEAR takes both.
        trials: Points of the grid to train, at least 1; all of them where there are fewer. HEAR takes 8.
        hidden: Width of the hidden layers, at least 1. HEAR takes 1024.
        dropout: Share of hidden units that are dropped, from 0 to below 1. HEAR takes 0.1.
        batch_size: Samples of a batch, at least 2; a few more where the samples do not divide by it. HEAR takes 1024.
        max_epochs: Most epochs, at least 1. HEAR takes 500.
        check_every: Epochs between two looks at the validation split, at least 1. HEAR takes 3.
        patience: Looks without a higher accuracy after which training stops, at least 1. HEAR takes 20.
        labels_per_class: Labelled training samples of each class, such as 10, a share of them, such as "10%", or
            "all"; one result for each.
        draws: How often the labelled samples are drawn, at least 1; the result is the mean.
    """

    splits = ("train", "validation", "test")
    labels: Literal["class"] = "class"

    def __init__(
        self,
        *,
        layers: Annotated[tuple[Annotated[int, Ge(1)], ...], MinLen(1)] = (1, 2),
        lr: Annotated[tuple[Annotated[float, Gt(0)], ...], MinLen(1)] = (3.2e-3, 1e-3, 3.2e-4, 1e-4),
        init: Annotated[tuple[Init, ...], MinLen(1)] = ("xavier_uniform", "xavier_normal"),
        trials: Annotated[int, Ge(1)] = 4,
        hidden: Annotated[int, Ge(1)] = 1024,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.1,
        batch_size: Annotated[int, Ge(2)] = 1024,
        max_epochs: Annotated[int, Ge(1)] = 60,
        check_every: Annotated[int, Ge(1)] = 3,
        patience: Annotated[int, Ge(1)] = 4,
        labels_per_class: LabelBudgets = ("all",),
        draws: Annotated[int, Ge(1)] = 5,
    ) -> None:
        self.grid = [
            Settings(*point, hidden=hidden, dropout=dropout, batch_size=batch_size, epochs=max_epochs)
            for point in itertools.product(layers, lr, init)
        ]
        if len(set(self.grid)) < len(self.grid):
            raise ValueError("layers, lr and init have to name each choice once")
        self.fixed = Settings(BUDGET_LAYERS, BUDGET_LR, BUDGET_INIT, hidden, dropout, batch_size, BUDGET_EPOCHS)
        self.trials = min(trials, len(self.grid))
        self.check_every = check_every
        self.patience = patience
        self.budgets = as_budgets(labels_per_class)
        self.draws = draws
        self._grid_protocol = {"layers": list(layers), "lr": list(lr), "init": list(init)}

    def check(self, data: KnownData, /) -> None:
        """Refuses a budget of more labels than a class has."""
        check_known_budgets(data, self.budgets)

    def rows_read(self, features: Features, rng: Rng, /) -> Mapping[str, np.ndarray]:
        """What is drawn of the training split."""
        return rows_of_budgets(features, self.budgets, self.draws, rng)

    def __call__(self, features: Features, rng: Rng) -> list[Result]:
        """The accuracy on the test split, for each budget of labels."""
        fitted, validation = labelled_split(features, "train"), labelled_split(features, "validation")
        test_ND, test_N = labelled_split(features, "test")
        check_classes(fitted[1])
        classes = 1 + max(int(labels.max()) for labels in (fitted[1], validation[1], test_N))
        every_N = torch.cat([fitted[1], validation[1]])
        by = choices(features, every_N)
        drawn = draw_labels(fitted[1].cpu().numpy(), self.budgets, self.draws, rng, features.classes)
        points = [self.grid[i] for i in rng.numpy.permutation(len(self.grid))[: self.trials]]
        seeds = [rng.seed32() for _ in range(max(self.draws, self.trials))]
        results = []
        for budget, draws in drawn.items():
            hits, chosen = [], []
            for draw, seed in zip(draws, seeds, strict=False):
                rows = torch.from_numpy(draw).to(fitted[0].device)
                labelled = fitted if budget == "all" else (fitted[0][rows], fitted[1][rows])
                if budget == "all":
                    scale, how, best = self._best(by, every_N, classes, points, seeds)
                    chosen.append({"layers": how.layers, "lr": how.lr, "init": how.init, "epochs": best.epochs})
                else:
                    scale = Standardise(labelled[0])
                    best = train(scale(labelled[0]), labelled[1], classes, self.fixed, seed, None)
                hits.append(best.predict(scale(test_ND)) == test_N)
            protocol = self._protocol(budget, chosen, by)
            results.append(accuracy_result(hits, rng.numpy, protocol, features["test"].groups_N))
        return results

    def _best(
        self, by: Choices, y_N: Tensor, classes: int, points: list[Settings], seeds: list[int]
    ) -> tuple[Standardise, Settings, Fitted]:
        """The point of the highest accuracy in the mean over folds, the first drawn of equals, and a perceptron of it.

        That is the one that was judged, where there is one fold; else one trained on all samples.
        """
        accuracy_P: list[float] = []
        epochs: list[int] = []
        trained: list[tuple[Standardise, Fitted]] = []
        for how, seed in zip(points, seeds, strict=False):
            of_folds: list[Fitted] = []
            for fitted_F, judged_J in by.rows:
                scale = Standardise(by.x_ND[fitted_F])
                x_FD, held_JD = scale(by.x_ND[fitted_F]), scale(by.x_ND[judged_J])
                stopping = Stopping(held_JD, y_N[judged_J], every=self.check_every, patience=self.patience)
                of_folds.append(train(x_FD, y_N[fitted_F], classes, how, seed, stopping))
            accuracy_P.append(sum(found.accuracy for found in of_folds) / len(of_folds))
            epochs.append(round(sum(found.epochs for found in of_folds) / len(of_folds)))
            trained.append((scale, of_folds[0]))
        best = max(range(len(accuracy_P)), key=accuracy_P.__getitem__)
        if len(by.rows) == 1:
            scale, found = trained[best]
            return scale, points[best], found
        scale, how = Standardise(by.x_ND), replace(points[best], epochs=max(1, epochs[best]))
        return scale, how, train(scale(by.x_ND), y_N, classes, how, seeds[best], None)

    def _protocol(self, budget: LabelsPerClass, chosen: list[dict[str, Any]], by: Choices) -> dict[str, Any]:
        protocol: dict[str, Any] = {
            "classifier": f"hidden layers of {self.fixed.hidden}: linear, batch norm, dropout, ReLU",
            "hidden": self.fixed.hidden,
            "dropout": self.fixed.dropout,
            "batch_size": self.fixed.batch_size,
            "optimizer": "Adam, betas 0.9 and 0.999, no decay, constant learning rate",
            "standardised": "by the samples that are fitted",
            "labels_per_class": budget,
        }
        if budget != "all":
            fixed = {"layers": BUDGET_LAYERS, "lr": BUDGET_LR, "init": BUDGET_INIT, "epochs": BUDGET_EPOCHS}
            return {**protocol, "fixed": fixed}
        refit = "no refit" if len(by.rows) == 1 else "fitted again on all of train for the mean of their epochs"
        return {
            **protocol,
            "grid": self._grid_protocol,
            "trials": self.trials,
            "max_epochs": self.grid[0].epochs,
            "check_every": self.check_every,
            "patience": self.patience,
            "chosen_by": f"accuracy on {by.by}, both the epoch and the point of the grid; {refit}",
            "chosen": chosen,
        }
