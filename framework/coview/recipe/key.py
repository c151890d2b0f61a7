"""A path into a recipe: how it is held, how people write it, how it is read from what they write."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from typing import Any

Key = tuple[str | int, ...]
"""Table keys, and indices into arrays: ``("evaluate", 0, "k")``."""


def dotted(path: Key) -> str:
    """The path as people write it: ``evaluate.0.k``."""
    return ".".join(map(str, path))


def as_key(name: str) -> str:
    """A name as part of a dotted key: in quotes where it has to be."""
    bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if bare else f'"{name}"'


def dotted_key(key: str) -> list[str]:
    """The parts of a dotted key, as TOML reads it.

    Raises:
        ValueError: If it is not a dotted key.
    """
    return list(_parts(key))


@lru_cache(maxsize=4096)  # each cell of a comparison has the same keys
def _parts(key: str) -> tuple[str, ...]:
    try:
        table: Any = tomllib.loads(f"{key.strip()} = 0")
    except tomllib.TOMLDecodeError:
        raise _not_dotted(key) from None
    path: list[str] = []
    while isinstance(table, dict):
        if len(table) != 1:
            raise _not_dotted(key)
        name, table = next(iter(table.items()))
        path.append(name)
    return tuple(path)


def _not_dotted(key: str) -> ValueError:
    return ValueError(f"{key.strip()!r} is not a dotted key, such as loss.temperature")


def key_of_term(index: int, terms: int) -> Key:
    """Where a recipe says which loss a term is: in ``[loss]``, or in one of several ``[[loss]]``."""
    return ("loss", "use") if terms == 1 else ("loss", index, "use")
