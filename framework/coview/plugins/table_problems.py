"""Checking a table by a pydantic model, with what is wrong in the words of a recipe: arrays, tables, ranges, keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, time
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from coview.plugins.nearest import did_you_mean
from coview.plugins.type_text import type_text


@dataclass(frozen=True)
class Problem:
    """What is wrong with one parameter; ``path`` is dotted and relative to the component's table."""

    path: str
    message: str


def validate_strictly(
    model: type[BaseModel], given: Mapping[str, Any], types_of: Callable[[], Mapping[str, str]]
) -> tuple[BaseModel | None, list[Problem]]:
    """Checks a table by a model, with messages for a person.

    Pydantic's JSON mode is what is wanted: strict about numbers and strings, yet an array is a tuple and a string a
    path.

    Args:
        model: With ``extra="forbid"``.
        given: A table as TOML has it.
        types_of: Gives each key's type in words, if something is wrong.
    """
    problems = [Problem(key, why) for key, value in given.items() if (why := _not_json(value))]
    unusable = {problem.path for problem in problems}
    text = json.dumps({key: None if key in unusable else value for key, value in given.items()})
    try:
        valid = model.model_validate_json(text)
    except ValidationError as error:
        return None, problems + [p for p in _problems(error, given, types_of(), model) if p.path not in unusable]
    problems += [
        Problem(key, f"has to be {types_of().get(key, 'a number')}, got {_short(given[key])}")
        for name, field in model.model_fields.items()
        if (key := field.alias or name) in given and _is_mistaken(given[key], getattr(valid, name))
    ]
    return (None if problems else valid), problems


@lru_cache(maxsize=512)
def without_values(model: type[BaseModel]) -> BaseModel | None:
    """What an empty table is by a model whose defaults are valid together, without the time that its validator takes to
    be built; None if a key is required. It is nobody's to change."""
    required = any(field.is_required() for field in model.model_fields.values())
    return None if required else model.model_construct()


def _is_mistaken(given: Any, valid: Any) -> bool:
    """Whether a choice of integers was met by what only equals one: pydantic takes true and 1.0 for ``Literal[1]``."""
    if isinstance(given, list) and isinstance(valid, list | tuple):
        return any(map(_is_mistaken, given, valid))
    return type(valid) in (int, bool) and type(given) is not type(valid)


def _not_json(value: Any) -> str:
    """Why a value of TOML's cannot be a parameter (dates and times are the only ones); empty if it can."""
    if isinstance(value, int | float) or (isinstance(value, str) and value.isascii()):
        return ""
    try:
        json.dumps(value, ensure_ascii=False, default=_in_quotes).encode()
    except (TypeError, ValueError) as error:
        return str(error)
    except RecursionError:
        return "is nested too deeply"
    return ""


def _in_quotes(value: Any) -> Any:
    """Stands in for what JSON does not have."""
    if isinstance(value, date | time):
        raise TypeError(f'has a date or time, {value}, which nothing takes: write it in quotes, "{value}"')
    raise TypeError(f"has a {type(value).__name__}, which nothing takes")


_OF_THE_WHOLE = ("missing", "too_short", "too_long", "is_instance_of", "callable_type")
"""Errors that are best answered with the whole type: an array of the wrong length, a type that TOML has no value of."""


def _problems(
    error: ValidationError, given: Mapping[str, Any], types: Mapping[str, str], model: type[BaseModel]
) -> list[Problem]:
    """One problem for each key: a union's errors, one for each of its members, are one mistake of the user's."""
    problems: list[Problem] = []
    by_key: dict[str, list[Any]] = {}
    for item in error.errors(include_url=False):
        by_key.setdefault(str(item["loc"][0]) if item["loc"] else "", []).append(item)
    for key, items in by_key.items():
        first = items[0]
        wanted = types.get(key)
        if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
            takes = ", ".join(types) or "no parameters"
            problems.append(Problem(key, f"unknown key{did_you_mean(key, types)} (takes: {takes})"))
        elif first["type"] == "missing" and len(first["loc"]) == 1:
            problems.append(Problem(key, f"is missing; it has to be {wanted or 'a value'}"))
        elif any(item["type"] == "string_pattern_mismatch" for item in items):
            message = f"is not of the right form ({_description(model, key)})"
            problems.append(Problem(key, f"{message}, got {_short(given.get(key))}"))
        elif wanted and (len(items) > 1 or first["type"] in _OF_THE_WHOLE):
            problems.append(Problem(key, f"has to be {wanted}, got {_short(given.get(key))}"))
        else:
            path, value = _deepest(key, first["loc"], given)
            problems.append(Problem(path, f"{_plain(first['msg'])}, got {_short(value)}{_quoted(wanted, value)}"))
    return problems


def _quoted(wanted: str | None, value: Any) -> str:
    """How to write a name that TOML takes for a number: as it was, which for 1_1_1 is not 111."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    is_name = is_number and wanted in (type_text(str), type_text(Path))
    return ": without quotes it is a number to TOML, write it in quotes" if is_name else ""


def _description(model: type[BaseModel], key: str) -> str:
    described = {field.alias or name: field.description for name, field in model.model_fields.items()}
    return (described.get(key) or "see coview plugins show").rstrip(".")


def _deepest(key: str, location: tuple[Any, ...], given: Mapping[str, Any]) -> tuple[str, Any]:
    """The dotted path and value as far as the location, with pydantic's union tags in it, leads into the table."""
    path: list[str] = [key]
    value: Any = given.get(key)
    for part in location[1:]:
        in_array = isinstance(value, list) and isinstance(part, int) and part < len(value)
        if in_array or (isinstance(value, dict) and part in value):
            value = value[part]
            path.append(str(part))
    return ".".join(path), value


def _plain(message: str) -> str:
    """Pydantic's message in the words of a recipe: arrays and tables, not tuples and dictionaries."""
    for before, after in (
        ("Input should be", "has to be"),
        ("String should have", "has to be a string of"),
        ("Value error, ", ""),
        ("has to be a valid", "has to be a"),
        ("a integer", "an integer"),
        ("a array", "an array"),
        ("an object", "a table"),
        ("a dictionary", "a table"),
    ):
        message = message.replace(before, after)
    return message


def _short(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = str(value)
    return text if len(text) <= 60 else text[:57] + "…"
