"""By which tuning a run was chosen: part of the protocol of its numbers, for whoever joins them with others.

A run's recipe says what was chosen and not from what. So a comparison with ``[tune]`` notes its tuning in the folder of
each run that it takes. The recipe's hash does not know of it: a run that another tuning, or none, leads to as well is
not trained again, and has numbers by each.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from coview.data.atomic import write_atomically
from coview.errors import CoviewError
from coview.evaluate.result import Result
from coview.recipe.snapshot import difference
from coview.track.run_folder import RunFolder

Tuning = Mapping[str, Any] | None
"""What variants could choose from, by how many trials, which number and which seed; None: nothing was tuned."""

KEY = "tuning"
"""Under which a protocol has it."""


def tuning_hash(tuning: Tuning) -> str:
    """Twelve hex digits; empty where nothing was tuned."""
    return "" if tuning is None else hashlib.sha256(json.dumps(tuning, sort_keys=True).encode()).hexdigest()[:12]


def tunings_of(folder: RunFolder) -> list[Tuning]:
    """Every tuning that has led to a run; of a run that no tuning has taken that is none.

    Raises:
        CoviewError: If what the folder says of it cannot be read.
    """
    try:
        text = folder.tuned_by.read_bytes()
    except FileNotFoundError:
        return [None]
    except OSError as error:
        raise CoviewError(f"{folder.tuned_by} cannot be read: {error.strerror or error}") from error
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, list) or not found or not all(one is None or isinstance(one, dict) for one in found):
        raise CoviewError(
            f"{folder.tuned_by} is damaged: it has to be a JSON array of tunings",
            hint="remove it: coview compare RECIPE writes it again",
        )
    return found


def note_tuning(folder: RunFolder, tuning: Tuning, *, is_new: bool) -> None:
    """Notes that a comparison has taken a run by this tuning.

    Args:
        folder: The run's.
        tuning: Of the comparison.
        is_new: Whether this comparison has made the run; one that was there stays what it was besides.

    Raises:
        CoviewError: If it cannot be written.
    """
    noted = folder.tuned_by.exists()
    if tuning is None and not noted:
        return
    known: list[Tuning] = [] if is_new and not noted else tunings_of(folder)
    if tuning in known:
        return
    found = sorted([*known, tuning], key=tuning_hash)
    try:
        write_atomically(folder.tuned_by, json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise CoviewError(f"{folder.tuned_by} cannot be written: {error.strerror or error}") from error


def with_tunings(results: Iterable[Result], tunings: Sequence[Tuning]) -> list[Result]:
    """Each number once for each tuning, which is in its protocol then."""
    return [
        result if tuning is None else replace(result, protocol={**result.protocol, KEY: dict(tuning)})
        for tuning in tunings
        for result in results
    ]


def check_tuned_alike(runs: Sequence[tuple[RunFolder, Sequence[Tuning]]]) -> None:
    """Refuses runs that no one tuning has led to.

    Raises:
        CoviewError: With the keys that differ.
    """
    common = set.intersection(*({tuning_hash(one) for one in tunings} for _, tunings in runs))
    if common:
        return
    (first, of_first), *others = runs
    hashes = {tuning_hash(one) for one in of_first}
    folder, tunings = next(
        ((folder, of) for folder, of in others if hashes.isdisjoint(map(tuning_hash, of))), others[-1]
    )
    lines = [line.replace(" → ", " and ") for line in difference(_table(of_first[0]), _table(tunings[0]))]
    raise CoviewError(
        f"{first.path} and {folder.path} cannot be compared: they were tuned differently: {'; '.join(lines)}",
        hint="compare runs of one comparison, or give both the same [tune]",
    )


def _table(tuning: Tuning) -> dict[str, Any]:
    return {} if tuning is None else {KEY: tuning}
