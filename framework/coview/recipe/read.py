"""One TOML file: its table, and the line on which each of its keys stands."""

from __future__ import annotations

import re
import stat
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tree_sitter_toml
from tree_sitter import Language, Parser

from coview.errors import Mistake, RecipeError
from coview.recipe.key import Key, dotted
from coview.recipe.limits import find_unusable

LARGEST = 4_000_000
"""Bytes of a recipe; the longest that ships has 4,000."""


@dataclass(frozen=True)
class Document:
    """A recipe file as it stands.

    Attributes:
        path: The file, as it was given.
        table: Its contents.
        lines: The line, counted from 1, of every key and array element.
        about: The first comment of the file, which says what it is.
    """

    path: Path
    table: dict[str, Any]
    lines: dict[Key, int]
    about: str


def read_document(path: Path) -> Document:
    """Reads one file.

    Raises:
        RecipeError: If it is not there, is not a file, is not UTF-8, or is not TOML.
    """
    try:
        data = _bytes_of(path)
    except FileNotFoundError:
        raise _error(str(path), "no such file") from None
    except IsADirectoryError:
        raise _error(str(path), "is a folder, not a recipe; coview recipe list shows the recipes in it") from None
    except (OSError, ValueError) as error:
        raise _error(str(path), f"cannot be read: {error.strerror if isinstance(error, OSError) else error}") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _error(f"{path}:{line}", "is not UTF-8 text") from None
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where, message = _toml_location(str(error), text)
        raise _error(f"{path}:{where}", f"is not valid TOML: {message}") from None
    except (ValueError, OverflowError) as error:
        raise _error(str(path), f"has a value that cannot be read: {error}") from None
    except RecursionError:
        raise _error(str(path), "is nested too deeply") from None
    unusable = list(find_unusable(table))
    try:
        lines = key_lines(text)
    except RecursionError:  # the table is nested too deeply, and listed as such
        lines = {}
    if unusable:
        places = [(f"{path}:{lines[key]}" if key in lines else str(path), key) for key, _ in unusable]
        raise RecipeError(
            [Mistake(where, dotted(key), reason) for (where, key), (_, reason) in zip(places, unusable, strict=True)]
        )
    return Document(path, table, lines, _about(text))


def _bytes_of(path: Path) -> bytes:
    """The contents of a plain file: a device has no end, and a pipe may never have a beginning."""
    found = path.stat()
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError
    if not stat.S_ISREG(found.st_mode):
        raise _error(str(path), "is a device or a pipe, not a recipe")
    if found.st_size > LARGEST:
        raise _error(str(path), f"has {found.st_size:,} bytes, and a recipe has at most {LARGEST:,}")
    with path.open("rb") as file:
        return file.read(LARGEST)


def key_lines(text: str) -> dict[Key, int]:
    """The line of every key and array element of a valid TOML text."""
    tree = Parser(Language(tree_sitter_toml.language())).parse(text.encode())
    lines: dict[Key, int] = {}
    counts: dict[Key, int] = {}
    for node in tree.root_node.children:
        if node.type == "pair":
            lines.update(_pair(node, ()))
        elif node.type in ("table", "table_array_element"):
            header = next(child for child in node.children if child.type in _KEYS)
            base = _resolve(_names(header), counts, lines, _line(node), array=node.type == "table_array_element")
            for child in node.children:
                if child.type == "pair":
                    lines.update(_pair(child, base))
    return lines


_KEYS = ("bare_key", "quoted_key", "dotted_key")


def _resolve(names: list[str], counts: dict[Key, int], lines: dict[Key, int], line: int, *, array: bool) -> Key:
    """A header's path with the index of the latest element put in wherever it goes through an array of tables."""
    base: Key = ()
    for depth, name in enumerate(names):
        base = (*base, name)
        lines.setdefault(base, line)
        last = depth == len(names) - 1
        if last and array:
            counts[base] = counts.get(base, -1) + 1
        if base in counts:
            base = (*base, counts[base])
            lines.setdefault(base, line)
    return base


def _pair(node: Any, base: Key) -> Iterator[tuple[Key, int]]:
    key, _, value = node.children[:3]
    path = base
    for name in _names(key):
        path = (*path, name)
        yield path, _line(node)
    yield from _value(value, path)


def _value(node: Any, path: Key) -> Iterator[tuple[Key, int]]:
    if node.type == "inline_table":
        for child in node.children:
            if child.type == "pair":
                yield from _pair(child, path)
    elif node.type == "array":
        elements = [child for child in node.children if child.is_named and child.type != "comment"]
        for index, child in enumerate(elements):
            yield (*path, index), _line(child)
            yield from _value(child, (*path, index))


def _names(key: Any) -> list[str]:
    if key.type == "dotted_key":
        return [name for child in key.children if child.type in _KEYS for name in _names(child)]
    text = key.text.decode()
    return [text] if key.type == "bare_key" else list(tomllib.loads(f"{text} = 0"))


def _line(node: Any) -> int:
    return int(node.start_point.row) + 1


def _toml_location(message: str, text: str) -> tuple[int, str]:
    found = re.search(r" \(at line (\d+), column \d+\)$", message)
    if found:
        return int(found[1]), message[: found.start()]
    return text.rstrip("\n").count("\n") + 1, message.removesuffix(" (at end of document)")


def _about(text: str) -> str:
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("# "):
            lines.append(line[2:].strip())
        elif lines or not line.startswith("#"):
            break
    return " ".join(lines)


def _error(where: str, message: str) -> RecipeError:
    return RecipeError([Mistake(where, "", message)])
