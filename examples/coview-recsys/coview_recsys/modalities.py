"""The modalities: what a user and an item are to coview."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor


class User(NamedTuple):
    """A user.

    Attributes:
        number: Who.
        looks_for: The item that an encoder must leave out of what the user has chosen; None if there is none.
    """

    number: int
    looks_for: int | None = None


class Item(NamedTuple):
    """An item.

    Attributes:
        number: Which.
        chosen: All items that the user of the sample has chosen in training, sorted: what is not drawn as a negative.
        items: How many items there are; 0 if it is not known.
    """

    number: int
    chosen: np.ndarray | None = None
    items: int = 0


class _Numbered:
    """What is known by a number only."""

    name = ""

    def describe(self, value: Any, /) -> str:
        """Its number."""
        return f"{self.name} {value.number}"

    def fit_raw(self, values: Iterable[Any], /) -> Callable[[Sequence[Any]], np.ndarray]:
        """A constant: nothing can be told from a number alone. ``full_ranking`` has controls that mean more."""
        return lambda some: np.zeros((len(some), 1), dtype=np.float32)

    def preview(self, writer: Any, tag: str, rows: Sequence[Sequence[Any]], step: int, /) -> None:
        """A line for each."""
        writer.add_text(tag, "\n\n".join(self.describe(row[0]) for row in rows), step)

    def to_html(self, value: Any, /) -> str:
        """Its number."""
        return f"<p>{self.describe(value)}</p>"


class Users(_Numbered):
    """Users: their number, and the number of the item that they look for."""

    name = "user"

    def collate(self, values: Sequence[User], /) -> dict[str, Tensor]:
        """``user`` and ``looks_for``, ``(N,)`` int64 each; -1 for no item."""
        looks_for = [-1 if user.looks_for is None else user.looks_for for user in values]
        return {"user": torch.tensor([user.number for user in values]), "looks_for": torch.tensor(looks_for)}


class Items(_Numbered):
    """Items: their number."""

    name = "item"

    def collate(self, values: Sequence[Item], /) -> dict[str, Tensor]:
        """``item``, ``(N,)`` int64."""
        return {"item": torch.tensor([item.number for item in values])}
