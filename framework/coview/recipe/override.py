"""``--set loss.temperature=0.2``, and the same from Python."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date, time
from pathlib import Path
from typing import Any

from coview.errors import Mistake, RecipeError
from coview.recipe.key import dotted, dotted_key
from coview.recipe.limits import find_unusable


def parse_set(texts: Iterable[str]) -> dict[str, Any]:
    """One table from several ``KEY=VALUE``: the value is TOML where it parses as TOML, else a string.

    Raises:
        RecipeError: For every text that is not ``KEY=VALUE``.
    """
    table: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    for text in texts:
        key, equals, value = text.partition("=")
        try:
            if not equals:
                raise ValueError("has to be KEY=VALUE, such as loss.temperature=0.2")
            _put(table, dotted_key(key), _value(value))
        except ValueError as error:
            mistakes.append(Mistake(f"--set {text}", "", str(error)))
    mistakes += [Mistake("--set", dotted(path), reason) for path, reason in find_unusable(table)]
    if mistakes:
        raise RecipeError(mistakes)
    return table


def from_python(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """One table from ``{"loss.temperature": 0.2}`` or nested mappings.

    Raises:
        ValueError: If a key is not a dotted key, or goes through a value.
    """
    table: dict[str, Any] = {}
    for key, value in overrides.items():
        _put(table, dotted_key(key), _plain(value))
    return table


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return os.fspath(value) if isinstance(value, Path) else value


def _value(text: str) -> Any:
    try:
        table = tomllib.loads(f"value = {text.strip()}")
    except (ValueError, RecursionError):
        return text.strip()
    # no parameter is a date: 2024-05-06 is the name of a run or of a folder
    return table["value"] if len(table) == 1 and not isinstance(table["value"], date | time) else text.strip()


def _put(table: dict[str, Any], path: list[str], value: Any) -> None:
    *parents, last = path
    for name in parents:
        inner = table.setdefault(name, {})
        if not isinstance(inner, dict):
            raise ValueError(f"{'.'.join(path)!r} goes through {name!r}, which is set to a value")
        table = inner
    if isinstance(value, dict) and isinstance(table.get(last), dict):
        for name, item in value.items():
            _put(table[last], [name], item)
    else:
        table[last] = value
