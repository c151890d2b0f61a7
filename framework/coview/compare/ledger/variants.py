"""What the runs of a ledger are repetitions of: runs whose recipes differ in nothing but the seed are one variant."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from coview.compare.ledger.record import Record
from coview.compare.ledger.runs import LedgerRun
from coview.compare.ledger.without_paths import is_shortened
from coview.errors import CoviewError
from coview.plugins.nearest import did_you_mean
from coview.recipe.comparison import SEED
from coview.recipe.snapshot import flatten, hashed_part
from coview.recipe.sweep import as_level

ABSENT = "(absent)"
UNKNOWN = "(unknown)"
NAME = "recipe"
"""What a level is called that is the recipe's name."""

MOST_LEVELS = 3
"""Keys that a variant is called by; where more differ, it is called by its recipe's name."""

DATA_VERSION = "data version"

_OF_NO_EFFECT = ("schema", SEED, "sweep", "compare", "tune", "paper")
"""What says of which other runs it is one, and changes none of its weights."""

CALLBACK = "callback"
"""What is hashed of a recipe only where one changes the run."""

_OF_THE_MACHINE = ("train.device",)

_BESIDES = ("who", "coview", "device")
"""What ``by`` may name that is in no recipe."""


@dataclass(frozen=True)
class Variants:
    """Of some runs.

    Attributes:
        levels: For each run what its variant is called by: key to value as text.
        notes: What is kept apart that was to be one, a line for each.
    """

    levels: Sequence[Mapping[str, str]]
    notes: Sequence[str] = ()


def traits(record: Record) -> dict[str, Any]:
    """What the weights of a run come of: every key of its recipe that tells, and the versions of data and weights.

    Where data lay is left out where their version is known, as is what a run was measured by.
    """
    part = hashed_part(record.recipe)
    for table in (
        _OF_NO_EFFECT if CALLBACK in part else (*_OF_NO_EFFECT, "evaluate")
    ):  # what it measures may end the run
        part.pop(table, None)
    flat = {key: value for key, value in flatten(part).items() if key not in _OF_THE_MACHINE}
    vouched = {"data": bool(record.data_version), "start": bool(record.start)}
    flat = {
        key: value for key, value in flat.items() if not (vouched.get(key.partition(".")[0]) and is_shortened(value))
    }
    flat |= {f"start version.{modality}": version for modality, version in record.start.items()}
    return {**flat, DATA_VERSION: record.data_version}


def variants_of(runs: Sequence[LedgerRun], by: Sequence[str] = ()) -> Variants:
    """What each run is called by, and so which are repetitions of each other.

    Args:
        runs: The runs.
        by: Keys of their recipes, such as ``loss.use``, or ``who``, ``coview`` or ``device``. Runs that agree in these
            and differ elsewhere stay apart, and are called by that as well. Absent: all keys in which they differ.

    Raises:
        CoviewError: If no run has such a key.
    """
    wanted = [key for key in by if key != SEED]
    flat = [{**traits(run.record), **_besides(run, wanted)} for run in runs]
    named = [{NAME: run.record.name} for run in runs]
    known = list(dict.fromkeys(key for values in flat for key in values))
    if unknown := [key for key in wanted if key not in known]:
        raise CoviewError(
            f"no run has {', '.join(unknown)} in its recipe{did_you_mean(unknown[0], [*known, *_BESIDES])}",
            hint=f"a key of a recipe, such as loss.use, or {', '.join(_BESIDES)}",
        )
    if not wanted:
        return Variants(_levels(flat, _differing(flat), named))
    groups: dict[tuple[str, ...], list[int]] = {}
    for index, values in enumerate(flat):
        groups.setdefault(tuple(as_level(values.get(key, ABSENT)) for key in wanted), []).append(index)
    levels: list[Mapping[str, str]] = [{} for _ in runs]
    notes = []
    for shared, members in groups.items():
        own = dict(zip(wanted, shared, strict=True))
        differing = _differing([flat[index] for index in members])
        further = _levels([flat[index] for index in members], differing, [named[index] for index in members])
        for index, more in zip(members, further, strict=True):
            levels[index] = {**own, **more}
        if differing:
            notes.append(
                f"runs of {' · '.join(shared)} are kept apart, because they differ in "
                f"{_values(flat, members, differing)}"
            )
    return Variants(levels, notes)


def _besides(run: LedgerRun, wanted: Sequence[str]) -> dict[str, str]:
    made_with = run.record.made_with
    told = {"who": run.who, "coview": made_with.get("coview"), "device": made_with.get("device")}
    return {key: str(told[key] or UNKNOWN) for key in _BESIDES if key in wanted}


def _differing(flat: Sequence[Mapping[str, Any]]) -> list[str]:
    keys = dict.fromkeys(key for values in flat for key in values)
    return [key for key in keys if len({_text(values, key) for values in flat}) > 1]


def _levels(
    flat: Sequence[Mapping[str, Any]], differing: Sequence[str], named: Sequence[Mapping[str, str]]
) -> list[Mapping[str, str]]:
    """The values in which runs differ, their recipes' names where these say as much, or a name and a hash."""
    identities = [json.dumps([_text(values, key) for key in differing]) for values in flat]
    names = [json.dumps(name) for name in named]
    several = len(set(identities))
    if len(differing) > 1 and several == len(set(names)) == len(set(zip(identities, names, strict=True))):
        return list(named)
    levels: list[Mapping[str, str]] = [{key: as_level(values.get(key, ABSENT)) for key in differing} for values in flat]
    if len(differing) <= MOST_LEVELS and len({tuple(level.values()) for level in levels}) == several:
        return levels  # else 0.1 and "0.1" would be one
    digests = [sha256(identity.encode()).hexdigest()[:6] for identity in identities]
    return [{NAME: f"{name[NAME]} ({digest})"} for name, digest in zip(named, digests, strict=True)]


def _values(flat: Sequence[Mapping[str, Any]], members: Sequence[int], differing: Sequence[str]) -> str:
    """``optimizer.lr: 0.1 → 0.2``, of a few keys."""
    told = [
        f"{key}: {' → '.join(sorted({as_level(flat[index].get(key, ABSENT)) for index in members}))}"
        for key in differing[:MOST_LEVELS]
    ]
    more = len(differing) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more > 0 else "")


def _text(values: Mapping[str, Any], key: str) -> str:
    return json.dumps(values.get(key, ABSENT), sort_keys=True, default=str)
