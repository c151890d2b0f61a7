"""The cells of a comparison as rows: what each was, what became of it, and the number that ranks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from coview.evaluate.result import FEATURE_KINDS, FeatureKind, Result
from coview.recipe.tables import Test
from coview.track.run_folder import RunFolder

COLUMNS: tuple[FeatureKind, ...] = ("pretrained", "untrained", "raw")
"""What a comparison keeps of a run: the encoder's number, and those of its controls."""


class ResolvedRecipe(Protocol):
    """What a row has to know of its recipe: a :class:`coview.Recipe`, or one that was written by another coview."""

    @property
    def tables(self) -> Mapping[str, Any]:
        """Every default in it."""

    @property
    def hash(self) -> str:
        """Of everything that can change a result."""


@dataclass(frozen=True)
class Row:
    """A cell, and what became of it.

    Attributes:
        modality: Of its recipe, or the recipe's name where modalities do not tell them apart.
        variant: All that it tries but the seed, its levels joined.
        seed: Which repetition.
        levels: Axis to level.
        recipe: Its recipe.
        status: ``done``, ``failed`` or ``missing``; a run without the number that ranks has failed.
        reason: Why there is no number.
        results: The number that ranks, by ``COLUMNS``: under ``pretrained`` that of the encoder that is compared, whose
            ``kind`` says what it is: of a run that trained nothing it may be untrained.
        seconds: How long it trained.
        diagnostics: The last of each that was logged.
        parameters: Of all that was trained; None where there is no checkpoint.
        run: Its folder.
        stopped: Who has stopped its training before the last step, when and why; mostly nobody, and empty.
        leaks: What the test split that ranks has of the train split, in words; mostly nothing.
        made_with: The device and the versions of libraries, by name; empty where they are not known.
    """

    modality: str
    variant: str
    seed: str
    levels: Mapping[str, str]
    recipe: ResolvedRecipe
    status: str
    reason: str = ""
    results: Mapping[FeatureKind, Result] = field(default_factory=dict)
    seconds: float | None = None
    diagnostics: Mapping[str, float] = field(default_factory=dict)
    parameters: int | None = None
    run: RunFolder | None = None
    leaks: Sequence[str] = ()
    stopped: str = ""
    made_with: Mapping[str, str] = field(default_factory=dict)

    def value(self, features: FeatureKind = "pretrained") -> float:
        """The number that ranks; NaN where there is none."""
        result = self.results.get(features)
        return math.nan if result is None else result.value


def as_columns(by_kind: Mapping[FeatureKind, Result], measured: FeatureKind) -> dict[FeatureKind, Result]:
    """A run's numbers by ``COLUMNS``: under ``pretrained`` what is compared, whatever that is of, unless it is raw."""
    return {"pretrained" if kind == measured != "raw" else kind: result for kind, result in by_kind.items()}


@dataclass(frozen=True)
class Table:
    """All cells of a comparison.

    Attributes:
        metric: The number that ranks: ``EVALUATOR/METRIC``, with ``@LABELS`` where labels were counted out.
        rows: One for each cell, in the comparison's order.
        baseline: The variant that each other is tested against; absent: each against each.
        test: By which pairs are tested.
        margin: Differences that do not matter; 0: all matter.
        until_decided: Whether seeds are added until pairs are decided.
        tuning: The hash of the tuning by which variants have chosen; empty: nothing was tuned.
    """

    metric: str
    rows: Sequence[Row]
    baseline: str | None = None
    test: Test = "model"
    margin: float = 0.0
    until_decided: bool = False
    tuning: str = ""

    @property
    def lower_is_better(self) -> bool:
        """Whether the number that ranks is better the lower it is."""
        return any(result.better == "lower" for row in self.rows for result in row.results.values())

    @property
    def encoders(self) -> str:
        """What the encoders that are compared are: ``pretrained``, or ``pretrained or untrained``."""
        found = {row.results["pretrained"].kind for row in self.rows if "pretrained" in row.results}
        return " or ".join(kind for kind in FEATURE_KINDS if kind in found) or "pretrained"

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """The smallest and the largest value that the number that ranks can have."""
        return next((result.bounds for row in self.rows for result in row.results.values()), (None, None))

    @property
    def modalities(self) -> tuple[str, ...]:
        """In the comparison's order."""
        return tuple(dict.fromkeys(row.modality for row in self.rows))

    @property
    def variants(self) -> tuple[str, ...]:
        """In the comparison's order."""
        return tuple(dict.fromkeys(row.variant for row in self.rows))

    @property
    def seeds(self) -> tuple[str, ...]:
        """In the comparison's order."""
        return tuple(dict.fromkeys(row.seed for row in self.rows))

    def of(self, modality: str, variant: str | None = None) -> list[Row]:
        """The rows of a modality, or of one variant in it."""
        return [row for row in self.rows if row.modality == modality and variant in (None, row.variant)]
