"""The resolved recipe as text, and its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import tomli_w

NO_EFFECT_ON_RESULTS = (
    ("name",),
    ("relative_to",),
    ("data", "workers"),
    ("data", "keep_gb"),
    ("data", "cache_gb"),
    ("train", "checkpoint_activations"),
    ("train", "shard"),
    ("train", "checkpoint_every"),
    ("train", "keep"),
    ("train", "keep_best"),
    ("train", "log_every"),
    ("evaluate", "every"),
)
"""Keys that are promised to change nothing that is computed, and so are not hashed; of an array those of each table.

Nor are callbacks that only tell."""

HOW_OFTEN_TOLD = ("log_every", "every")
"""Of those, what is hashed where a callback changes the run: how often it is told of it."""


def to_toml(tables: Mapping[str, Any]) -> str:
    """The resolved recipe as TOML."""
    return tomli_w.dumps(tables)


def hashed_part(tables: Mapping[str, Any]) -> dict[str, Any]:
    """The resolved recipe without what has no effect on results."""
    part: dict[str, Any] = json.loads(json.dumps(tables))
    changing = [table for table in part.pop("callback", []) if table.get("changes_run")]
    for *parents, last in NO_EFFECT_ON_RESULTS:
        if changing and last in HOW_OFTEN_TOLD:
            continue
        table: Any = part
        for name in parents:
            table = table.get(name, {})
        for one in table if isinstance(table, list) else [table]:
            one.pop(last, None)
    return {**part, "callback": changing} if changing else part


def recipe_hash(tables: Mapping[str, Any]) -> str:
    """Sixty-four hex digits; the same for every way of writing the same recipe."""
    return hashlib.sha256(json.dumps(hashed_part(tables), sort_keys=True).encode()).hexdigest()


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """One line for each key whose value differs: ``loss.temperature: 0.5 → 0.2``."""
    flat_before, flat_after = dict(_flat(before)), dict(_flat(after))
    lines = []
    for key in [*flat_before, *(key for key in flat_after if key not in flat_before)]:
        old, new = flat_before.get(key, "(absent)"), flat_after.get(key, "(absent)")
        if old != new:
            lines.append(f"{key}: {old} → {new}")
    return lines


def flatten(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted key to scalar, for hparams and diffs."""
    return dict(_flat(tables, as_text=False))


def _flat(value: Any, prefix: str = "", *, as_text: bool = True) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _flat(item, f"{prefix}.{key}" if prefix else str(key), as_text=as_text)
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        for index, item in enumerate(value):
            yield from _flat(item, f"{prefix}.{index}", as_text=as_text)
    else:
        yield prefix, json.dumps(value, ensure_ascii=False) if as_text else value
