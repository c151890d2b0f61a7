"""Whether what a recipe wants measured while it trains can be, and which of it decides what is kept."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from coview.plugins.duration import Duration
from coview.recipe.abilities import Compared
from coview.recipe.key import Key
from coview.recipe.mistakes import Mistakes
from coview.recipe.recipe import EvaluateTable
from coview.recipe.tables import TrainTable


def points_of(table: EvaluateTable, compared: Compared | None) -> tuple[Any, ...]:
    """What the names of an evaluator's points go by: equal where two evaluators' would be the same."""
    return table.use, table.modality, table.projector, compared.modalities if compared else ()


def check_every(
    mistakes: Mistakes, table: EvaluateTable, compared: Compared | None, earlier: Collection[tuple[Any, ...]], at: Key
) -> None:
    """Notes why an evaluator cannot measure while training.

    Args:
        mistakes: Where to note it.
        table: The evaluator's, with how often it is to.
        compared: What the evaluator says of what it compares and takes; None if that is a mistake already.
        earlier: The :func:`points_of` of those before it that have ``every``.
        at: Where in the recipe its table stands.
    """
    place, use, every = (*at, "every"), table.use, table.every
    assert every is not None
    if Duration.parse(every).amount == 0:
        mistakes.add(place, f'has to be more than nothing, such as 200 or "5 epochs", got "{every}"')
    if compared is not None and compared.takes_encoder:
        mistakes.add(
            place,
            f"{use} takes the encoder itself, to train it, to time it or to change its input, and so measures at the "
            "end only; only numbers that are measured on representations have curves",
        )
    if points_of(table, compared) in earlier:
        mistakes.add(place, f"another {use} has it already, and the points of both would have one name: leave one out")


def check_keep_best(mistakes: Mistakes, train: TrainTable, evaluate: Sequence[EvaluateTable]) -> None:
    """Notes where ``train.keep_best`` is of an evaluator that has no curve.

    Which numbers each evaluator gives is known once it has measured, before the first step.
    """
    if train.keep_best is None:
        return
    place = ("train", "keep_best")
    measuring = list(dict.fromkeys(table.use for table in evaluate if table.every is not None))
    if not measuring:
        mistakes.add(place, "no evaluator measures while training: give one of [[evaluate]] a key every")
    elif not any(train.keep_best.startswith(f"{use}/") for use in measuring):
        mistakes.add(
            place,
            f'has to be a number of an evaluator with every, "EVALUATOR/METRIC", got "{train.keep_best}"; those with '
            f"every: {', '.join(measuring)}",
        )


def without_curves(
    mistakes: Mistakes, evaluate: Sequence[tuple[EvaluateTable, dict[str, Any]]], train: TrainTable
) -> list[str]:
    """What has no effect where no step is taken, in sentences."""
    places: list[Key] = [
        ("evaluate", index, "every") for index, (table, _) in enumerate(evaluate) if table.every is not None
    ]
    if train.keep_best is not None:
        places.append(("train", "keep_best"))
    return [
        f"{mistakes.where(place)}: {'.'.join(map(str, place))} has no effect where train.steps is 0" for place in places
    ]


def as_measured_once(given: EvaluateTable, table: dict[str, Any]) -> tuple[EvaluateTable, dict[str, Any]]:
    """An evaluator without ``every``, and its resolved table."""
    return replace(given, every=None, test=True), {
        key: value for key, value in table.items() if key not in ("every", "test")
    }
