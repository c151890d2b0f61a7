"""What a value in a recipe may be at all, whatever key it is given to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, time
from typing import Any

from coview.recipe.key import Key

DEEPEST = 32
"""Levels of tables and arrays; no component has a use for more, and deeper ones could only exhaust the stack."""


def find_unusable(table: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    """The path of every value that no recipe can hold, and why. One that is nested too deeply is the last."""
    pending: list[tuple[Key, Any]] = [((), table)]
    while pending:
        path, value = pending.pop()
        if len(path) > DEEPEST:
            yield path[:1], f"is nested more than {DEEPEST} levels deep"
            return
        if isinstance(value, Mapping):
            for key, item in value.items():
                if isinstance(key, str) and _is_text(key):
                    pending.append(((*path, key), item))
                else:
                    yield path, f"has the key {key!r}, which is not a text"
        elif isinstance(value, list | tuple):
            pending += [((*path, index), item) for index, item in enumerate(value)]
        elif reason := _why_not(value):
            yield path, reason


def _why_not(value: Any) -> str:
    if isinstance(value, str):
        return "" if _is_text(value) else f"is not a text: {value!r}"
    if isinstance(value, int):
        return "" if -(2**63) <= value < 2**63 else "is an integer of more than 64 bits"
    # TOML has no None; from Python it stands for a key that is absent
    if value is None or isinstance(value, float | date | time):
        return ""
    return f"has to be a value that TOML has, got {value!r} ({type(value).__name__})"


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
