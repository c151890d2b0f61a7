"""The contract of evaluators, which plugins implement."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

from coview.data.rng import Rng
from coview.evaluate.features import Features
from coview.evaluate.result import Result


@runtime_checkable
class Evaluator(Protocol):
    """Turns frozen representations into numbers. Nothing may be chosen on the test split.

    Attributes:
        splits: The splits it needs; ``validation`` is carved out of ``train`` where the data has none.
        labels: The kind of label it needs: ``"class"``, ``"score"``, ``"pairs"`` or none.
    """

    splits: tuple[str, ...]
    labels: Literal["class", "score", "pairs"] | None

    def __call__(self, features: Features, rng: Rng, /) -> list[Result]:
        """The numbers; ``rng`` stands at the same place for every kind of features."""
        ...
