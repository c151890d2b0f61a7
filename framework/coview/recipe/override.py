"""``--set loss.temperature=0.2``, and the same from Python."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from coview.errors import Mistake, RecipeError


def parse_set(texts: Iterable[str]) -> dict[str, Any]:
    """One table from several ``KEY=VALUE``: the value is TOML where it parses as TOML, else a string.

    Raises:
        RecipeError: For every text that is no ``KEY=VALUE``.
    """
    table: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    for text in texts:
        key, equals, value = text.partition("=")
        try:
            if not equals:
                raise ValueError("has to be KEY=VALUE, such as loss.temperature=0.2")
            path = _path(key)
            _put(table, path, _value(value))
        except (ValueError, RecursionError) as error:
            mistakes.append(Mistake(f"--set {text}", "", str(error)))
    if mistakes:
        raise RecipeError(mistakes)
    return table


def from_python(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """One table from ``{"loss.temperature": 0.2}`` or nested mappings."""
    table: dict[str, Any] = {}
    for key, value in overrides.items():
        _put(table, _path(key), value)
    return table


def _path(key: str) -> list[str]:
    """The key's parts, as TOML reads a dotted key."""
    try:
        table: Any = tomllib.loads(f"{key.strip()} = 0")
    except tomllib.TOMLDecodeError:
        raise ValueError(f"{key.strip()!r} is no dotted key, such as loss.temperature") from None
    path: list[str] = []
    while isinstance(table, dict):
        if len(table) != 1:
            raise ValueError(f"{key.strip()!r} is no dotted key, such as loss.temperature")
        name, table = next(iter(table.items()))
        path.append(name)
    return path


def _value(text: str) -> Any:
    try:
        table = tomllib.loads(f"value = {text.strip()}")
    except (ValueError, RecursionError):
        return text.strip()
    return table["value"] if len(table) == 1 else text.strip()


def _put(table: dict[str, Any], path: list[str], value: Any) -> None:
    *parents, last = path
    for name in parents:
        inner = table.setdefault(name, {})
        if not isinstance(inner, dict):
            raise ValueError(f"{'.'.join(path)!r} goes through {name!r}, which is set to a value")
        table = inner
    if isinstance(value, Mapping) and isinstance(table.get(last), dict):
        for name, item in value.items():
            _put(table[last], [name], item)
    else:
        table[last] = value
