"""Whether the numbers of a comparison may stand beside each other, and be averaged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from coview.compare.table import COLUMNS, ResolvedRecipe, Row, Table
from coview.errors import CoviewError
from coview.evaluate.result import Result
from coview.recipe.snapshot import difference, hashed_part


def check_comparable(table: Table) -> None:
    """Refuses numbers that were measured differently, and repetitions that are none.

    Raises:
        CoviewError: With the difference in words.
    """
    for modality in table.modalities:
        _check_protocols(table.of(modality))
        for variant in table.variants:
            _check_repetitions(table.of(modality, variant))


def _check_protocols(rows: Sequence[Row]) -> None:
    """Refuses numbers of one modality that are of different protocols or test sets."""
    for kind in COLUMNS:
        having = [row for row in rows if kind in row.results and row.status == "done"]
        for row in having[1:]:
            one, other = having[0].results[kind], row.results[kind]
            differs = []
            if one.n != other.n:
                differs.append(f"test items: {one.n} and {other.n}")
            if one.protocol_hash != other.protocol_hash:
                differs += protocol_difference(one, other, " and ")
            if differs:
                raise CoviewError(
                    f"the {one.kind} numbers of {_called(having[0])} and {_called(row)} cannot be compared: they were "
                    f"measured differently: {'; '.join(differs)}",
                    hint="Evaluate the runs again under one protocol: coview evaluate RUN --set …",
                )


def protocol_difference(one: Result, other: Result, between: str = " → ") -> list[str]:
    """What two numbers were measured by differently, one line for each key: ``k: 5 → 20``."""

    def all_of(result: Result) -> dict[str, Any]:
        protocol = {key: value for key, value in result.protocol.items() if key != "chosen"}
        return {**protocol, "data set": result.dataset, "split": result.split}

    return [line.replace(" → ", between) for line in difference(all_of(one), all_of(other))]


def _check_repetitions(rows: Sequence[Row]) -> None:
    """Refuses to average over runs whose recipes differ in more than the seed."""
    for row in rows[1:]:
        lines = difference_but_seed(rows[0].recipe, row.recipe)
        if lines:
            raise CoviewError(
                f"{_called(rows[0])} and {_called(row)} are not repetitions of each other: they differ in more than "
                f"the seed: {'; '.join(lines)}",
                hint="Name what differs: a label of its own for each entry of sweep.zip, or a key in sweep.grid.",
            )


def difference_but_seed(one: ResolvedRecipe, other: ResolvedRecipe) -> list[str]:
    """What two recipes differ in that changes results, one line for each key; their seeds are left out."""
    parts = (
        {key: value for key, value in hashed_part(recipe.tables).items() if key not in ("seed", "compare", "sweep")}
        for recipe in (one, other)
    )
    return difference(*parts)


def _called(row: Row) -> str:
    return f"{row.modality} · {row.variant} · seed {row.seed}"
