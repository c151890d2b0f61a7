"""What hyper-parameters are chosen on: the data's own validation split, or folds of the training split."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from coview.evaluate.features import Features

FOLDS = 5
SEED = 0
FEW_GROUPS = 30
FEW_SAMPLES = 1000
"""A part carved out of train that has fewer groups, or fewer samples, than these chooses by chance: there are folds."""


@dataclass(frozen=True)
class Choices:
    """Train and validation as one, and the parts of it by which something is chosen.  N sample · D feature.

    Attributes:
        x_ND: The representations of both, train first.
        rows: For each fold the rows to fit and the rows that judge. One fold where a single split is enough.
        by: What judges, in words: "the validation split", or "4 folds of train, no group in two of them".
    """

    x_ND: Tensor
    rows: tuple[tuple[Tensor, Tensor], ...]
    by: str


def choices(features: Features, labels_N: Tensor | None) -> Choices:
    """By what an evaluator chooses.

    The data's own validation split is a single split. Where it has none, as much is carved out of ``train`` as the
    ``validation`` split of these features says; if that has few groups or few samples, every sample of train judges
    once, in up to five folds with no group in two of them.

    Args:
        features: With the splits ``train`` and ``validation``.
        labels_N: The class of each sample of both, train first, by which folds are stratified; absent: none.
    """
    train, held = features["train"], features["validation"]
    x_ND = torch.cat([train.x_ND, held.x_ND])
    n, device = len(x_ND), x_ND.device
    groups_N = None if train.groups_N is None or held.groups_N is None else torch.cat([train.groups_N, held.groups_N])
    carved_groups = FEW_GROUPS if held.groups_N is None else len(held.groups_N.unique())
    if not features.carved or (len(held) >= FEW_SAMPLES and carved_groups >= FEW_GROUPS):
        one = torch.arange(len(train), device=device), torch.arange(len(train), n, device=device)
        return Choices(x_ND, (one,), "the validation split")
    labels, groups = (None if part is None else part.cpu().numpy() for part in (labels_N, groups_N))
    rows = tuple(
        (torch.from_numpy(fitted).to(device), torch.from_numpy(judged).to(device))
        for fitted, judged in fold_rows(n, labels, groups)
    )
    apart = "" if groups is None else ", no group in two of them"
    return Choices(x_ND, rows, f"{len(rows)} folds of train{apart}")


def fold_rows(n: int, labels: np.ndarray | None, groups: np.ndarray | None) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows to fit and rows that judge, for each fold; the same for every run, and for every kind of features.

    Args:
        n: How many rows, at least 2.
        labels: The class of each, whose shares the folds keep as well as whole groups allow.
        groups: The group of each, at least two different ones.
    """
    columns = (None if part is None else part.astype(np.int64).tobytes() for part in (labels, groups))
    return [(fitted.copy(), judged.copy()) for fitted, judged in _parts(n, *columns)]


@lru_cache(maxsize=4)
def _parts(n: int, labels_bytes: bytes | None, groups_bytes: bytes | None) -> list[tuple[np.ndarray, np.ndarray]]:
    """Kept, as whole groups take seconds to divide, and the controls of an encoder are divided as it is."""
    from sklearn.model_selection import (
        GroupKFold,
        KFold,
        StratifiedGroupKFold,
        StratifiedKFold,
    )  # scikit-learn costs start-up time

    labels, groups = (
        None if column is None else np.frombuffer(column, np.int64) for column in (labels_bytes, groups_bytes)
    )
    units = n if groups is None else len(np.unique(groups))
    k = min(FOLDS, units)
    largest = 0 if labels is None else int(np.unique(labels, return_counts=True)[1].max())
    shuffled = {"shuffle": True, "random_state": SEED}
    if groups is None:
        splitter = StratifiedKFold(k, **shuffled) if largest >= k else KFold(k, **shuffled)
    else:
        splitter = StratifiedGroupKFold(k, **shuffled) if largest >= k else GroupKFold(k)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class of fewer samples than folds is not in every fold
        parts = list(splitter.split(np.zeros((n, 1)), labels, groups))
    return [(fitted, judged) for fitted, judged in parts if len(fitted) and len(judged)]
