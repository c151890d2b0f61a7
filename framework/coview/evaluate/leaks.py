"""Samples of a test split that the train split has too: equal, nearly equal, or of one group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from coview.evaluate.embedding import Embedded
from coview.evaluate.neighbours import nearest

NEAR = 0.999
"""The cosine of centred raw features from which two samples count as nearly equal."""
EXAMINED = 10_000
"""Test samples whose nearest training samples are looked for, at most."""
EXAMPLES = 5
_PROJECTED = 64
_CANDIDATES = 4
_CHUNK = 1024


@dataclass(frozen=True)
class Leaks:
    """What was found.

    Attributes:
        train, test: How many samples were compared.
        exact: Test samples whose value a training sample has; None where values of this kind have no hash.
        near: Other test samples, of those examined, whose centred raw features have a cosine of at least ``NEAR`` to a
            training sample's.
        examined: Test samples whose neighbours were looked for.
        groups: Test samples whose group is in train too; None where the data has no groups.
        examples: Some test rows with the training row that each repeats, the exact ones first.
    """

    train: int
    test: int
    exact: int | None
    near: int
    examined: int
    groups: int | None
    examples: Sequence[tuple[int, int]] = ()

    def __bool__(self) -> bool:
        return bool(self.exact or self.near or self.groups)

    def __str__(self) -> str:
        found = []
        if self.exact:
            found.append(f"{self.exact:,} {_are(self.exact)} in train too")
        if self.near:
            of = "" if self.examined == self.test else f" of the {self.examined:,} examined"
            found.append(f"{self.near:,}{of} {_are(self.near)} nearly equal to one in train")
        if self.groups:
            found.append(f"{self.groups:,} {_are(self.groups)} of a group that is in train too")
        return f"of {self.test:,} test samples {', '.join(found) or 'none was found in train'}"


def find_leaks(train: Embedded, test: Embedded) -> Leaks:
    """Compares two splits by what their samples hold, by their raw features, and by their groups.

    Args:
        train, test: The splits' raw features.
    """
    equal = _equal(train.content_N, test.content_N)
    near, examined = _near(train.features.x_ND, test.features.x_ND, exclude=np.array(sorted(equal), dtype=np.int64))
    groups, train_groups = test.features.groups_N, train.features.groups_N
    return Leaks(
        train=len(train.features),
        test=len(test.features),
        exact=None if train.content_N is None or test.content_N is None else len(equal),
        near=len(near),
        examined=examined,
        groups=None if groups is None or train_groups is None else int(torch.isin(groups, train_groups).sum()),
        examples=[(int(test.rows[row]), int(train.rows[of])) for row, of in [*equal.items(), *near.items()][:EXAMPLES]],
    )


def _equal(train_N: Tensor | None, test_M: Tensor | None) -> dict[int, int]:
    """Test row to the first training row that has the same content."""
    if train_N is None or test_M is None or not len(train_N):
        return {}
    known, first = np.unique(train_N.numpy(), return_index=True)
    contents_M = test_M.numpy()
    place_M = np.searchsorted(known, contents_M).clip(max=len(known) - 1)
    return {int(row): int(first[place_M[row]]) for row in np.flatnonzero(known[place_M] == contents_M)}


def _near(train_ND: Tensor, test_MD: Tensor, *, exclude: np.ndarray) -> tuple[dict[int, int], int]:
    """Test row to the training row that it nearly equals, and how many rows were examined.

    Candidates are the nearest after a random projection, which moves a cosine close to 1 by little, and are then
    compared in full. Empty samples (no word that TF-IDF knows, silence) say nothing and are left out.
    """
    rows = np.setdiff1d(np.arange(len(test_MD)), exclude)
    if len(rows) > EXAMINED:
        rows = np.sort(np.random.default_rng(0).choice(rows, EXAMINED, replace=False))
    examined = len(rows) + len(exclude)
    rows, bank = rows[_not_empty(test_MD[rows])], np.flatnonzero(_not_empty(train_ND))
    if not len(rows) or not len(bank):
        return {}, examined
    mean_D = train_ND[bank].mean(0)
    D = len(mean_D)
    projection_DP = torch.eye(D)
    if D > _PROJECTED:
        projection_DP = torch.randn(D, _PROJECTED, generator=torch.Generator().manual_seed(0))
    offset_P = mean_D @ projection_DP
    _, candidates_QK = nearest(
        test_MD[rows] @ projection_DP - offset_P,
        (train_ND @ projection_DP)[bank] - offset_P,
        min(_CANDIDATES, len(bank)),
    )
    found: dict[int, int] = {}
    for start in range(0, len(rows), _CHUNK):
        part = slice(start, start + _CHUNK)
        candidates_qK = torch.from_numpy(bank)[candidates_QK[part]]
        queries_qD = test_MD[rows[part]] - mean_D
        cosines_qK = torch.cosine_similarity(queries_qD[:, None], train_ND[candidates_qK] - mean_D, dim=2)
        best_q, at_q = cosines_qK.max(1)
        for place in torch.nonzero(best_q >= NEAR).flatten().tolist():
            found[int(rows[start + place])] = int(candidates_qK[place, at_q[place]])
    return found, examined


def _not_empty(x_ND: Tensor) -> np.ndarray:
    kept: np.ndarray = (torch.isfinite(x_ND).all(1) & (x_ND != 0).any(1)).numpy()
    return kept


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
