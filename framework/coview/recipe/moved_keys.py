"""Keys that stand elsewhere now: a recipe that has one is told its new place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coview.recipe.key import Key
from coview.recipe.mistakes import Mistakes

MOVED: Mapping[Key, tuple[str, str]] = {
    ("train", "optimizer"): ("optimizer", "use"),
    ("train", "lr"): ("optimizer", "lr"),
    ("train", "momentum"): ("optimizer", "momentum"),
    ("train", "betas"): ("optimizer", "betas"),
    ("train", "trust_coefficient"): ("optimizer", "trust_coefficient"),
    ("train", "weight_decay"): ("optimizer", "weight_decay"),
    ("train", "schedule"): ("schedule", "use"),
    ("train", "warmup"): ("schedule", "warmup"),
}
"""The former place of a key, and the table and key that it is now."""


def note_moved_keys(mistakes: Mistakes, table: Mapping[str, Any], path: Key) -> dict[str, Any]:
    """Notes each key of a table that has moved, and returns the rest of the table."""
    rest = dict(table)
    for key in table:
        if (now := MOVED.get((*path, key))) is not None:
            mistakes.add((*path, key), f"is now {'.'.join(now)}: write {now[1]} in the table [{now[0]}]")
            del rest[key]
    return rest
