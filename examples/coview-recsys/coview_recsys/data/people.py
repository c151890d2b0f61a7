"""The users of made-up choices with their tastes as classes, to be told from whom their choices connect them with."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge, Le

import coview
from coview_recsys.data.tastes import Tastes
from coview_recsys.modalities import User

_TEST_SHARE = 0.4


class People:
    """Each sample is a user of ``tastes``, and the class is the user's taste. Test users are not in ``train``.

    The graph is the same for both splits, as in the classification of the nodes of one graph: what test users have
    chosen in training is known, and their taste is not.

    Args:
        users: As of ``tastes``.
        items: As of ``tastes``.
        tastes: As of ``tastes``.
        chosen: As of ``tastes``.
        loyalty: As of ``tastes``.
    """

    splits = ("train", "test")
    modalities = ("user",)
    citation, licence = Tastes.citation, Tastes.licence

    def __init__(
        self,
        *,
        split: str = "train",
        users: Annotated[int, Ge(4)] = 300,
        items: Annotated[int, Ge(20)] = 200,
        tastes: Annotated[int, Ge(2)] = 5,
        chosen: Annotated[int, Ge(10)] = 20,
        loyalty: Annotated[float, Ge(0), Le(1)] = 0.8,
    ) -> None:
        coview.check_split(split, self.splits)
        choices = Tastes(users=users, items=items, tastes=tastes, chosen=chosen, loyalty=loyalty)
        self.context, self.version = choices.context, choices.version
        self.classes = tuple(f"taste {number}" for number in range(tastes))
        is_test_U = np.random.default_rng(1).permutation(users) < _TEST_SHARE * users
        self._users = np.flatnonzero(is_test_U == (split == "test"))
        self.labels = self._users % tastes

    def __len__(self) -> int:
        return len(self._users)

    def __getitem__(self, index: int, /) -> coview.Sample:
        """A user."""
        user = int(self._users[index])
        return coview.Sample({"user": User(user)}, id=user, label=int(self.labels[index]))
