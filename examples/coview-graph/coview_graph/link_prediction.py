"""Does the similarity of two nodes say whether there is an edge between them?"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Literal

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score
from torch.nn.functional import normalize

import coview
from coview.evaluating import intervals


class LinkPrediction:
    """Area under the ROC curve, and average precision, of pairs of nodes (Kipf and Welling, arXiv:1611.07308, section
    3), by scikit-learn.

    Nothing is fitted and nothing is chosen. A pair with a score above 0 is an edge, each other pair is none.

    Args:
        similarity: Of two nodes: "cosine", or "dot", the inner product, as in VGAE.
    """

    splits = ("test",)
    labels: Literal["pairs"] = "pairs"

    def __init__(self, *, similarity: Literal["cosine", "dot"] = "cosine") -> None:
        self.similarity = similarity

    def __call__(self, features: coview.Features, rng: coview.Rng) -> list[coview.Result]:
        """Both numbers, with intervals over pairs.

        Raises:
            coview.CoviewError: If the data have no pairs, or all of them are edges, or none is.
        """
        split = features["test"]
        if split.pairs_P2 is None or split.pair_scores_P is None:
            raise coview.CoviewError("link_prediction needs pairs of nodes", hint='take data = { use = "node_links" }')
        is_edge_P = (split.pair_scores_P > 0).cpu().numpy()
        if is_edge_P.all() or not is_edge_P.any():
            raise coview.CoviewError("link_prediction needs pairs with an edge and pairs without one")
        x_ND = split.x_ND.double()
        if self.similarity == "cosine":
            x_ND = normalize(x_ND)
        first, second = split.pairs_P2.to(x_ND.device).T
        score_P = (x_ND[first] * x_ND[second]).sum(1).cpu().numpy()
        protocol = {
            "similarity": self.similarity,
            "edges": int(is_edge_P.sum()),
            "pairs without an edge": int((~is_edge_P).sum()),
            "interval": f"{intervals.PAIRED_METHOD} of pairs",
        }
        found = []
        for name, measure in (("auc", roc_auc_score), ("ap", average_precision_score)):
            measured = partial(_measured, measure)
            value = measured(is_edge_P, score_P)
            low, high = intervals.covering(value, intervals.paired_interval(is_edge_P, score_P, measured, rng.numpy))
            found.append(coview.Result(name, value, low, high, len(score_P), "test", protocol, bounds=(0.0, 1.0)))
        return found


def _measured(measure: Callable[..., float], is_edge_P: np.ndarray, score_P: np.ndarray) -> float:
    """A number of scikit-learn's; NaN where a resample has only one of the two kinds of pairs."""
    return float(measure(is_edge_P, score_P)) if 0 < is_edge_P.sum() < len(is_edge_P) else math.nan
