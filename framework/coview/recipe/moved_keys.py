"""Keys that stand elsewhere now: recipes and run folders that have them are still read, with a warning.

Each is moved before a file, or what ``--set`` gives, is merged, so that nothing behind knows the former places.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from coview.recipe.key import Key, dotted

MOVED: Mapping[tuple[str, str], tuple[str, str]] = {
    ("train", "optimizer"): ("optimizer", "use"),
    ("train", "lr"): ("optimizer", "lr"),
    ("train", "momentum"): ("optimizer", "momentum"),
    ("train", "betas"): ("optimizer", "betas"),
    ("train", "trust_coefficient"): ("optimizer", "trust_coefficient"),
    ("train", "weight_decay"): ("optimizer", "weight_decay"),
    ("train", "schedule"): ("schedule", "use"),
    ("train", "warmup"): ("schedule", "warmup"),
}
"""The former place of a key, and its place now."""

FORMER_OPTIMIZER = "sgd"
"""What a recipe had that gave a learning rate in ``[train]`` and did not say which optimiser."""


def with_keys_moved(table: Mapping[str, Any]) -> tuple[dict[str, Any], dict[Key, tuple[str, str]]]:
    """A recipe's table with each key where it is now, and for each that has moved, by its place now, the former one.

    One that is there in both places stays in the former one, where it is unknown.
    """
    moved: dict[Key, tuple[str, str]] = {}
    found = dict(table)
    for (former, key), (place, name) in MOVED.items():
        inner, target = found.get(former), found.get(place, {})
        if not isinstance(inner, Mapping) or not isinstance(target, Mapping) or key not in inner or name in target:
            continue
        found[former] = {other: value for other, value in inner.items() if other != key}
        found[place] = {**target, name: inner[key]}
        moved[place, name] = former, key
    return found, moved


def as_before(
    table: Mapping[str, Any], moved: Collection[str], takes: Callable[[Any], Collection[str]]
) -> dict[str, Any]:
    """An optimiser's table with the former default, without what had no effect on this one and was written out.

    Args:
        table: The table, as it is now.
        moved: Which of its keys stood elsewhere.
        takes: The parameters of an optimiser, by its name.
    """
    table = {"use": FORMER_OPTIMIZER, **table}
    known = ("use", "group", *takes(table["use"]))
    return {key: value for key, value in table.items() if key in known or key not in moved}


def moved_in_words(former: tuple[str, str]) -> str:
    """``train.lr is now optimizer.lr: write lr in the table [optimizer]``."""
    table, key = MOVED[former]
    return f"{dotted(former)} is now {table}.{key}: write {key} in the table [{table}]"
