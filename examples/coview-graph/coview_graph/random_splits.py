"""Can a linear classifier tell the classes of nodes from a tenth of them, as GRACE's authors measure it?"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch
from annotated_types import Ge, Gt, Lt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.multiclass import OneVsRestClassifier
from torch.nn.functional import normalize

import coview
from coview.evaluating import check_classes, intervals, labelled_split

STRENGTHS = tuple(2.0**power for power in range(-10, 10))
"""Of the penalty, as C of scikit-learn."""
FOLDS = 5


class RandomSplits:
    """Accuracy of logistic regression on all other nodes, if a share of all nodes is labelled.

    GRACE (arXiv:2006.04131), GCA and others report this number on Cora, CiteSeer, PubMed and DBLP: ``eval.py`` of
    CRIPAC-DIG/GRACE draws a tenth of all nodes, and ``train.py`` calls it so. It is not the official split, of which a
    graph has fewer labels: Cora 140 in place of 270. For that, see ``node_classification``.

    Representations have unit length. The strength is chosen by 5 folds of the labelled nodes. The number is the mean
    over nodes of how often a node was told rightly in the draws in which it was not labelled.

    It needs data in which all nodes have their class: ``labelled = "all"`` in ``planetoid``. A node that is in several
    splits counts once.

    Args:
        share: Of all nodes that are labelled.
        draws: How often they are drawn.
    """

    splits = ("train", "validation", "test")
    labels: Literal["class"] = "class"

    def __init__(self, *, share: Annotated[float, Gt(0), Lt(1)] = 0.1, draws: Annotated[int, Ge(1)] = 3) -> None:
        self.share, self.draws = share, draws

    def __call__(self, features: coview.Features, rng: coview.Rng) -> list[coview.Result]:
        """The accuracy on the nodes that are not labelled.

        Raises:
            coview.CoviewError: If a split has no labels, or a class has too few nodes to be drawn.
        """
        split = [labelled_split(features, name) for name in self.splits]
        labels_N = torch.cat([labels for _, labels in split])
        check_classes(labels_N)
        # each node once, in the order of their ids, so that the order of the samples does not say which are drawn
        ids_N = torch.cat([features[name].ids_N for name in self.splits]).cpu().numpy()
        row_N = np.unique(ids_N, return_index=True)[1]
        x_ND = normalize(torch.cat([x for x, _ in split]).double()).cpu().numpy()[row_N]
        y_N = labels_N.cpu().numpy()[row_N]
        right_N, tested_N = np.zeros(len(y_N)), np.zeros(len(y_N))
        for _ in range(self.draws):
            labelled, others = train_test_split(
                np.arange(len(y_N)), train_size=self.share, random_state=int(rng.numpy.integers(2**31))
            )
            search = GridSearchCV(
                OneVsRestClassifier(LogisticRegression(solver="liblinear")),
                {"estimator__C": list(STRENGTHS)},
                cv=FOLDS,
            )
            try:
                search.fit(x_ND[labelled], y_N[labelled])
            except ValueError as error:
                raise coview.CoviewError(
                    f"a classifier cannot be fitted to {len(labelled)} of {len(y_N)} nodes: {error}"
                ) from error
            right_N[others] += search.predict(x_ND[others]) == y_N[others]
            tested_N[others] += 1
        accuracy_N = right_N[tested_N > 0] / tested_N[tested_N > 0]
        mean = float(accuracy_N.mean())
        low, high = intervals.t_interval(mean, intervals.mean_variance(accuracy_N, None))
        return [
            coview.Result(
                "accuracy",
                mean,
                low,
                high,
                len(accuracy_N),
                "test",
                {
                    "classifier": "one-against-rest logistic regression of scikit-learn on rows of unit length",
                    "labelled": f"{self.share:g} of all nodes",
                    "tested": "the other nodes",
                    "draws": self.draws,
                    "c_grid": list(STRENGTHS),
                    "c_by": f"{FOLDS} folds of the labelled nodes",
                    "interval": "95 % t interval of the mean over nodes",
                },
                bounds=(0.0, 1.0),
            )
        ]
