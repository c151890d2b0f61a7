"""A data set of choices: what the data sets of this plugin have in common."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import pairwise
from typing import ClassVar

import numpy as np
import torch

import coview
from coview_recsys.data.bipartite import Bipartite
from coview_recsys.modalities import Item, User


class Choices:
    """Each sample is a choice: a user and an item. The choices of ``train`` are the context of all samples.

    Choices of validation and test are left out if their user or their item is not in ``train``: nothing is known of
    them. Such a choice is also left out if ``train`` has the same, and each choice counts once.

    Args:
        split: Which of them.
        pairs: Of each split the numbers of user and item, ``(N, 2)`` int64.
    """

    splits: ClassVar[tuple[str, ...]] = ("train", "validation", "test")
    modalities: tuple[str, ...] = ("user", "item")
    classes = None
    citation = licence = "unknown"

    def __init__(self, split: str, pairs: Mapping[str, np.ndarray]) -> None:
        coview.check_split(split, tuple(pairs))
        self.version = hashlib.sha256(b"".join(pairs[name].tobytes() for name in pairs)).hexdigest()[:16]
        users, items = (int(max(of[:, column].max(initial=0) for of in pairs.values())) + 1 for column in (0, 1))
        train_N2 = np.unique(pairs["train"], axis=0)
        self.context = Bipartite(*torch.from_numpy(train_N2.T.copy()), users=users, items=items)
        starts_U = np.searchsorted(train_N2[:, 0], np.arange(users + 1))
        self._chosen = [train_N2[first:last, 1] for first, last in pairwise(starts_U)]
        self._is_train = split == "train"
        found_N2 = train_N2 if self._is_train else np.unique(pairs[split], axis=0)
        known_N = np.isin(found_N2[:, 0], train_N2[:, 0]) & np.isin(found_N2[:, 1], train_N2[:, 1])
        if not self._is_train:
            known_N &= ~np.isin(found_N2 @ [items, 1], train_N2 @ [items, 1])
        self._pairs_N2 = found_N2[known_N]
        self._first = sum(len(pairs[name]) for name in list(pairs)[: list(pairs).index(split)])
        left_out = len(pairs[split]) - len(self._pairs_N2)
        why = "twice" if self._is_train else "twice, also in train, or of users or items that train lacks"
        self.notes = (f"{left_out:,} of {len(pairs[split]):,} choices of {split} are left out: {why}",) * bool(left_out)
        if not len(self._pairs_N2):
            raise coview.CoviewError(f"no choice of {split} can be used", hint="; ".join(self.notes) or None)

    def __len__(self) -> int:
        return len(self._pairs_N2)

    def __getitem__(self, index: int, /) -> coview.Sample:
        """A choice. In training, the user looks for the item, and the item knows what the user has chosen."""
        user, item = map(int, self._pairs_N2[index])
        values = {"user": User(user), "item": Item(item)}
        if self._is_train:
            values = {"user": User(user, item), "item": Item(item, self._chosen[user], self.context.items)}
        return coview.Sample(values, id=self._first + index, extras={"user": user, "item": item})
