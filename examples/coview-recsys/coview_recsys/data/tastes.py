"""Made-up choices of people who share tastes, for trying things out."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge, Le

from coview_recsys.data.choices import Choices


class Tastes(Choices):
    """Users with a taste choose items of this taste mostly, and popular items more often: no evidence of anything.

    Args:
        users: How many there are.
        items: How many there are.
        tastes: How many there are; user and item number n have the taste n modulo this.
        chosen: Items that each user chooses; a tenth of them for validation, and a fifth for testing.
        loyalty: Share of the choices that follow the taste.
    """

    citation, licence = "none", "CC0-1.0"

    def __init__(
        self,
        *,
        split: str = "train",
        users: Annotated[int, Ge(4)] = 300,
        items: Annotated[int, Ge(20)] = 200,
        tastes: Annotated[int, Ge(1)] = 5,
        chosen: Annotated[int, Ge(10)] = 20,
        loyalty: Annotated[float, Ge(0), Le(1)] = 0.8,
    ) -> None:
        rng = np.random.default_rng(0)
        if chosen > items // 2:
            raise ValueError(f"chosen is {chosen}: it has to be at most half of the {items} items")
        popular_I = 1 / (1 + np.arange(items) // tastes)
        taste_I = np.arange(items) % tastes
        pairs: dict[str, list[tuple[int, int]]] = {name: [] for name in self.splits}
        for user in range(users):
            weight_I = popular_I * np.where(taste_I == user % tastes, loyalty, (1 - loyalty) / max(1, tastes - 1))
            weight_I = weight_I + 1e-9  # a user whose taste has few items chooses others too
            found = rng.choice(items, chosen, replace=False, p=weight_I / weight_I.sum())
            found = rng.permutation(found)  # the first that are drawn are the likeliest
            for at, item in enumerate(found):
                done = at / chosen
                pairs["train" if done < 0.7 else "validation" if done < 0.8 else "test"].append((user, int(item)))
        super().__init__(split, {name: np.array(of, dtype=np.int64) for name, of in pairs.items()})
