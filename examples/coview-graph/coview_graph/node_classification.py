"""Can a linear classifier tell the classes of nodes from the official labelled nodes?"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch.nn.functional import normalize

import coview
from coview.evaluating import accuracy_result, check_classes, labelled_split

STRENGTHS = tuple(2.0**power for power in range(-10, 11))
"""Of the penalty, as C of scikit-learn."""


class NodeClassification:
    """Accuracy of logistic regression on the representations of nodes, with the official split (Planetoid's), by which
    DGI (arXiv:1809.10341) and others report their numbers. GRACE's are of ``random_splits``.

    The classifier is fitted to the labelled nodes of ``train`` and to no others. That sets it apart from coview's
    ``linear_probe``, which is fitted to ``train`` and ``validation`` once the strength is chosen: of Cora to 640 nodes
    in place of 140. ``validation`` chooses the strength. Representations have unit length.
    """

    splits = ("train", "validation", "test")
    labels: Literal["class"] = "class"

    def __call__(self, features: coview.Features, rng: coview.Rng) -> list[coview.Result]:
        """The accuracy on the test nodes.

        Raises:
            coview.CoviewError: If a split has no labels, or ``train`` has a single class.
        """
        split = {name: labelled_split(features, name) for name in self.splits}
        check_classes(split["train"][1])
        x = {name: normalize(x_ND.double()).cpu().numpy() for name, (x_ND, _) in split.items()}
        y = {name: labels_N.cpu().numpy() for name, (_, labels_N) in split.items()}
        right: dict[float, float] = {}
        fitted: dict[float, LogisticRegression] = {}
        for strength in STRENGTHS:
            fitted[strength] = LogisticRegression(C=strength, max_iter=1000).fit(x["train"], y["train"])
            right[strength] = float(np.mean(fitted[strength].predict(x["validation"]) == y["validation"]))
        chosen = max(STRENGTHS, key=right.__getitem__)
        hits_N = torch.from_numpy(fitted[chosen].predict(x["test"]) == y["test"]).double()
        protocol = {
            "classifier": "logistic regression of scikit-learn on rows of unit length",
            "fitted to": f"{len(y['train'])} nodes of train",
            "c_grid": list(STRENGTHS),
            "c_by": "accuracy on validation, the smallest of equal ones",
            "chosen": {"c": chosen},
        }
        return [accuracy_result([hits_N], rng.numpy, protocol)]
