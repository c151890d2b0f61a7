"""MTEB's classification task on data of one's own: the number that its leaderboard has."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import torch
from annotated_types import Ge

from coview.data.rng import Rng
from coview.evaluate.features import Features
from coview.evaluate.result import Result
from coview.evaluating import accuracy_result, check_classes, labelled_split

SEED = 42
MAX_ITER = 100


class MTEBClassification:
    """scikit-learn's logistic regression on a few labels of each class, drawn ten times (MTEB, arXiv:2210.07316).

    Draws, classifier and settings are those of MTEB's ``AbsTaskClassification``: features as they are, ``C = 1`` and at
    most 100 iterations, at scikit-learn's own tolerance. Its draws depend on the order of the training samples, so that
    a file has to have them in the order of MTEB's data set. Nothing is chosen, and the run's seed plays no part.

    Args:
        samples_per_label: Labelled training samples of each class, at least 1; all of a class that has fewer. MTEB
            takes 8 where a task says nothing else (Banking77), and 16 or 32 in some.
        experiments: How often they are drawn, at least 1; the result is the mean.
    """

    splits = ("train", "test")
    labels: Literal["class"] = "class"

    def __init__(
        self, *, samples_per_label: Annotated[int, Ge(1)] = 8, experiments: Annotated[int, Ge(1)] = 10
    ) -> None:
        self.samples_per_label = samples_per_label
        self.experiments = experiments

    def __call__(self, features: Features, rng: Rng) -> list[Result]:
        """The mean accuracy on the test split."""
        from sklearn.linear_model import LogisticRegression  # scikit-learn costs start-up time

        train_ND, train_N = labelled_split(features, "train")
        test_ND, test_N = labelled_split(features, "test")
        check_classes(train_N)
        x, y, x_test, y_test = (part.cpu().numpy() for part in (train_ND, train_N, test_ND, test_N))
        hits = []
        for rows in draw_as_mteb(y, self.samples_per_label, self.experiments):
            fitted = LogisticRegression(max_iter=MAX_ITER, random_state=SEED).fit(x[rows], y[rows])
            hits.append(torch.from_numpy(fitted.predict(x_test) == y_test))
        protocol: dict[str, Any] = {
            "classifier": f"scikit-learn's LogisticRegression, C = 1, at most {MAX_ITER} iterations",
            "standardised": "no",
            "drawn": f"as MTEB does, by seed {SEED}, whatever the run's",
            "labels_per_class": self.samples_per_label,
        }
        return [accuracy_result(hits, rng.numpy, protocol, features["test"].groups_N)]


def draw_as_mteb(labels_N: np.ndarray, each: int, experiments: int) -> list[np.ndarray]:
    """The rows of each experiment, in the order in which they were drawn.

    Every experiment shuffles the order of the one before by a generator that starts anew, and takes the first of each
    class.

    Args:
        labels_N: Class indices, in the order of the data.
        each: Samples of each class; all where there are fewer.
        experiments: How many.
    """
    order, drawn = np.arange(len(labels_N)), []
    for _ in range(experiments):
        np.random.RandomState(SEED).shuffle(order)
        shuffled = labels_N[order]
        places = [np.flatnonzero(shuffled == label)[:each] for label in np.unique(labels_N)]
        drawn.append(order[np.sort(np.concatenate(places))])
    return drawn
