"""A type annotation in words: "a number above 0", "an array of 2 numbers", '"cosine" or "constant"'.

Messages and reference pages say it alike: ``has to be an integer from 1 to 64, got 0``.
"""

from __future__ import annotations

import json
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types as at
from pydantic.fields import FieldInfo

_PLAIN: Mapping[Any, tuple[str, str]] = {
    float: ("a number", "numbers"),
    int: ("an integer", "integers"),
    bool: ("true or false", "true or false"),
    str: ("a string", "strings"),
    Path: ("a path", "paths"),
    Any: ("any value", "any values"),
    dict: ("a table", "tables"),
    list: ("an array", "arrays"),
    tuple: ("an array", "arrays"),
}
"""One of the type, and several."""


def type_text(annotation: Any) -> str:
    """One value of the annotation in words; an absent (None) alternative is left out, as TOML has none."""
    return _text(annotation, 0)


def _text(annotation: Any, several: Literal[0, 1], limits: str = "") -> str:
    """One value in words, or several, with the limits of its range."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _text(parts[0], several, _limits(parts[0], parts[1:]))
    if origin in (Union, types.UnionType, Literal):
        return _either([part for part in parts if part not in (None, type(None))], several, choices=origin is Literal)
    if _is_array(annotation):
        return f"{'arrays' if several else 'an array'}{_items(parts, origin is tuple)}{limits}"
    if origin is not None and issubclass(origin, Mapping):
        values = "" if parts[1] is Any else f" of {_text(parts[1], 1)}"
        return f"{_PLAIN[dict][several]}{values}"
    name = getattr(annotation, "__name__", str(annotation))
    return f"{_PLAIN.get(annotation, (name, name))[several]}{limits}"


def _is_array(annotation: Any) -> bool:
    origin = get_origin(annotation)
    return isinstance(origin, type) and issubclass(origin, Iterable) and not issubclass(origin, Mapping)


def _items(parts: tuple[Any, ...], is_tuple: bool) -> str:
    """What an array is made of."""
    if not parts:
        return ""
    if not is_tuple or (len(parts) == 2 and parts[1] is Ellipsis):
        items = _text(parts[0], 1)
        return f" of ({items})" if " or " in items else f" of {items}"
    if len(set(map(type_text, parts))) == 1:
        return f" of {len(parts)} {_text(parts[0], 1)}"
    return f" of {', then '.join(map(type_text, parts))}"


def _either(parts: Sequence[Any], several: Literal[0, 1], *, choices: bool) -> str:
    """One of some values, or of some types."""
    texts = list(map(json.dumps, parts)) if choices else list(dict.fromkeys(_text(part, several) for part in parts))
    return " or ".join(filter(None, (", ".join(texts[:-1]), texts[-1])))


def _limits(annotation: Any, constraints: Sequence[Any]) -> str:
    """The range of a number, or the length of a text or an array, with a space ahead; empty where there is none."""
    found: dict[str, Any] = {}
    for constraint in _flat(constraints):
        for kind in (at.Gt, at.Ge, at.Lt, at.Le, at.MinLen, at.MaxLen, at.MultipleOf):
            if isinstance(constraint, kind):
                found |= asdict(constraint)
    number = {name: _number(value) for name, value in found.items()}
    if "ge" in found and "le" in found:
        extent = f" from {number['ge']} to {number['le']}"
    else:
        words = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
        extent = " and ".join(f"{word} {number[name]}" for name, word in words.items() if name in found)
        extent = f" of {extent}" if extent.startswith("at ") else f" {extent}" if extent else ""
    multiple = f" that is a multiple of {number['multiple_of']}" if "multiple_of" in found else ""
    return extent + multiple + _length(annotation, found.get("min_length") or 0, found.get("max_length"))


def _number(value: Any) -> str:
    if value == 2**63:
        return "2⁶³"
    # typing keeps one of two equal annotations, whichever came first: 1 or 1.0
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _length(annotation: Any, least: int, most: int | None) -> str:
    one, several = ("character", "characters") if annotation is str else ("entry", "entries")
    unit = one if (least if most is None else most) == 1 else several
    if most is None:
        return f" with at least {least} {unit}" if least else ""
    if least:
        return f" with {most} {unit}" if least == most else f" with {least} to {most} {unit}"
    return f" with at most {most} {unit}"


def _flat(constraints: Sequence[Any]) -> Iterator[Any]:
    """Every single constraint: those of a group, and those that pydantic's ``Field(…)`` carries as metadata."""
    for constraint in constraints:
        if isinstance(constraint, at.GroupedMetadata) and type(constraint).__module__ == at.__name__:
            yield from _flat(list(constraint))
        elif isinstance(constraint, FieldInfo):
            yield from _flat(constraint.metadata)
        else:
            yield constraint
