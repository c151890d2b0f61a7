"""The constructor is the schema: a component's typed keyword parameters and its docstring are its recipe table.

From one signature come the strict check of a recipe, the arguments that the constructor is called with, the page of
``coview plugins show``, the JSON Schema and so the editor's completion.
"""

from __future__ import annotations

import inspect
import json
import typing
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import docstring_parser
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_core import PydanticSerializationError, to_jsonable_python

from coview.errors import CoviewError
from coview.plugins.component import Kind
from coview.plugins.nearest import did_you_mean
from coview.plugins.own_settings import own_keys
from coview.plugins.type_text import type_text

SUPPLIED: Mapping[Kind, tuple[str, ...]] = {
    "dataset": ("split", "modalities"),
    "projector": ("in_width", "encoder"),
    "predictor": ("in_width", "width"),
    "decoder": ("in_width", "width", "encoder"),
    "target": ("in_width", "values", "classes"),
    "loss": ("width", "token_width", "own_scale"),
    "optimizer": ("params",),
    "resource": ("folder",),
}
"""Parameters that coview passes itself, and which are therefore not a recipe's."""

_OF_EVERY_TABLE = ("use", "modality", "supplied")
"""Names that no component can give a parameter: coview's own in the table of any kind, or in ``Registry.build``."""

STRICT = ConfigDict(
    extra="forbid", strict=True, allow_inf_nan=False, arbitrary_types_allowed=True, protected_namespaces=()
)


@runtime_checkable
class BringsModel(Protocol):
    """A factory that brings the pydantic model of its table itself; it is called with the values as they are given."""

    parameters_model: type[BaseModel]


@dataclass(frozen=True)
class Problem:
    """What is wrong with one parameter; ``path`` is dotted and relative to the component's table."""

    path: str
    message: str


@dataclass(frozen=True)
class Parameter:
    """One parameter, for people.

    Attributes:
        name: Its key in a recipe.
        type: Its type and range in words, such as "a number above 0".
        default: Its default as a JSON value; None where it has none or is absent by default.
        required: Whether a recipe has to give it.
        doc: Its line in the docstring.
    """

    name: str
    type: str
    default: Any
    required: bool
    doc: str


@dataclass(frozen=True)
class Parameters:
    """The parameters of one component.

    Attributes:
        model: The pydantic model that checks them.
        parameters: Each of them, for people.
        doc: What the component is, from its docstring.
        own_model: Whether the component brought the model itself; then its constructor gets the values as given.
        supplied: Which of the parameters that coview passes itself it takes.
        paths: Those whose type is a path, or holds paths: a relative one goes by the file that it is written in.
        paths_or_names: Those of them whose type is a string as well (``str | Path``), as of a folder or a hub id: only
            what begins with a dot, ``~`` or ``/`` is a path.
    """

    model: type[BaseModel]
    parameters: tuple[Parameter, ...]
    doc: str
    own_model: bool
    supplied: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    paths_or_names: tuple[str, ...] = ()

    @classmethod
    def of(cls, factory: Callable[..., Any], kind: Kind) -> Parameters:
        """Reads the signature, type hints and docstring of ``factory``.

        Raises:
            CoviewError: If an annotation cannot be evaluated, or a recipe could not give a parameter.
        """
        try:
            hash(factory)
        except TypeError:  # an object that is called, and can change
            return cls._read(factory, kind)
        # a recipe asks for the same one several times, and a comparison does for each of its cells
        return _parameters_of(factory, kind)

    @classmethod
    def _read(cls, factory: Callable[..., Any], kind: Kind) -> Parameters:
        doc = docstring_parser.parse(_docstring(factory))
        docs = {param.arg_name: " ".join((param.description or "").split()) for param in doc.params}
        about = "\n\n".join(part for part in (doc.short_description, doc.long_description) if part)
        own = _own_model(factory)
        fields: dict[str, Any] = {}
        listed: list[Parameter] = []
        supplied: list[str] = []
        for name, (annotation, default) in _signature(factory).items():
            if name in SUPPLIED.get(kind, ()):
                supplied.append(name)
                continue
            if name in (taken := (*_OF_EVERY_TABLE, *own_keys(kind))):
                raise CoviewError(
                    f"{_name(factory)}: parameter {name!r} needs another name: coview itself has a setting of "
                    "this name in the component's table",
                    hint=f"names that are taken: {', '.join(taken)}",
                )
            required = default is inspect.Parameter.empty
            fields[name] = (
                annotation,
                Field(... if required else default, description=docs.get(name) or None),
            )
            shown = None if required else _as_annotated(_jsonable(default), annotation)
            listed.append(Parameter(name, type_text(annotation), shown, required, docs.get(name, "")))
        if own is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a parameter may be called "copy" or "schema": only a name here
                try:
                    own_model = create_model(_name(factory), __config__=STRICT, **fields)
                except Exception as error:
                    raise CoviewError(f"{_name(factory)}: its parameters do not form a schema: {error}") from error
        model = own_model if own is None else own
        held = {name: list(_types_in(field.annotation)) for name, field in model.model_fields.items()}
        paths = tuple(name for name, types in held.items() if Path in types)
        return cls(
            model,
            tuple(listed),
            about,
            own_model=own is not None,
            supplied=tuple(supplied),
            paths=paths,
            paths_or_names=tuple(name for name in paths if str in held[name]),
        )

    def check(self, given: Mapping[str, Any], also: Iterable[str] = ()) -> list[Problem]:
        """Everything that is wrong with a table, in words.

        Args:
            given: The table, without ``use``.
            also: Keys that the table takes besides, for the message on an unknown one.
        """
        return self._validate(given, also)[1]

    def taken(self, offered: Mapping[str, Any]) -> dict[str, Any]:
        """Of what coview can pass itself, by name, that which the constructor takes."""
        return {name: offered[name] for name in self.supplied}

    def resolved(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """A valid table with every default written out, as JSON values; what is absent stays absent."""
        model, problems = self._validate(given)
        assert model is not None, problems
        values: dict[str, Any] = {p.name: p.default for p in self.parameters if not p.required}
        # the default of what is not given is listed already, and need not be a JSON value
        values |= dict(given) if self.own_model else model.model_dump(mode="json", include=model.model_fields_set)
        return {name: value for name, value in values.items() if value is not None}

    def arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The keyword arguments for the constructor: tuples, paths and so on in place of TOML's values."""
        if self.own_model:
            return dict(given)
        model, problems = self._validate(given)
        assert model is not None, problems
        return {name: getattr(model, name) for name in type(model).model_fields if name in model.model_fields_set}

    def _validate(self, given: Mapping[str, Any], also: Iterable[str] = ()) -> tuple[BaseModel | None, list[Problem]]:
        types = {parameter.name: parameter.type for parameter in self.parameters}
        return validate_strictly(self.model, given, types | dict.fromkeys(also, ""))


@lru_cache(maxsize=512)  # a family makes a new factory for each table
def _parameters_of(factory: Callable[..., Any], kind: Kind) -> Parameters:
    return Parameters._read(factory, kind)


def validate_strictly(
    model: type[BaseModel], given: Mapping[str, Any], types: Mapping[str, str]
) -> tuple[BaseModel | None, list[Problem]]:
    """Checks a table by a model, with messages for a person.

    Pydantic's JSON mode is what is wanted: strict about numbers and strings, yet an array is a tuple and a string a
    path.

    Args:
        model: With ``extra="forbid"``.
        given: A table as TOML has it.
        types: Each key's type in words.
    """
    problems = [Problem(key, why) for key, value in given.items() if (why := _not_json(value))]
    unusable = {problem.path for problem in problems}
    text = json.dumps({key: None if key in unusable else value for key, value in given.items()})
    try:
        valid = model.model_validate_json(text)
    except ValidationError as error:
        return None, problems + [p for p in _problems(error, given, types, model) if p.path not in unusable]
    problems += [
        Problem(key, f"has to be {types.get(key, 'a number')}, got {_short(given[key])}")
        for name, field in model.model_fields.items()
        if (key := field.alias or name) in given and _is_mistaken(given[key], getattr(valid, name))
    ]
    return (None if problems else valid), problems


def _is_mistaken(given: Any, valid: Any) -> bool:
    """Whether a choice of integers was met by what only equals one: pydantic takes true and 1.0 for ``Literal[1]``."""
    if isinstance(given, list) and isinstance(valid, list | tuple):
        return any(map(_is_mistaken, given, valid))
    return type(valid) in (int, bool) and type(given) is not type(valid)


def _not_json(value: Any) -> str:
    """Why a value of TOML's cannot be a parameter (dates and times are the only ones); empty if it can."""
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


def _as_annotated(default: Any, annotation: Any) -> Any:
    """A default as a recipe's own value comes out: a whole number of a float is one, and so is the recipe's hash."""
    types = list(_types_in(annotation))
    is_whole = isinstance(default, int) and not isinstance(default, bool)
    is_of_a_float = any(part is float for part in types) and not any(part is int for part in types)
    return float(default) if is_whole and is_of_a_float else default


def _types_in(annotation: Any) -> Iterator[Any]:
    """An annotation and all that it is made of; of a mapping only its values."""
    yield annotation
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    is_mapping = isinstance(origin, type) and issubclass(origin, Mapping)
    if origin is not typing.Literal:
        for part in parts[1:] if is_mapping else parts:
            yield from _types_in(part)


def _name(factory: Callable[..., Any]) -> str:
    inner = factory.func if isinstance(factory, partial) else factory
    return getattr(inner, "__name__", type(inner).__name__)


def _own_model(factory: object) -> type[BaseModel] | None:
    return factory.parameters_model if isinstance(factory, BringsModel) else None


def _docstring(factory: Callable[..., Any]) -> str:
    inner = factory.func if isinstance(factory, partial) else factory
    return inspect.getdoc(inner) or ""


def _jsonable(default: Any) -> Any:
    try:
        return to_jsonable_python(default)
    except (PydanticSerializationError, ValueError):  # bytes that are not UTF-8 are a ValueError
        return None


def _signature(factory: Callable[..., Any]) -> dict[str, tuple[Any, Any]]:
    """Keyword parameters: name to (annotation, default)."""
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError) as error:
        raise CoviewError(f"{_name(factory)}: it has no signature to read parameters from: {error}") from error
    inner: Any = factory.func if isinstance(factory, partial) else factory
    hints_of = inner.__init__ if inspect.isclass(inner) else inner
    try:
        hints = typing.get_type_hints(hints_of, include_extras=True)
    except Exception as error:
        raise CoviewError(f"{_name(factory)}: a type annotation cannot be evaluated: {error}") from error
    parameters: dict[str, tuple[Any, Any]] = {}
    for name, parameter in signature.parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise CoviewError(f"{_name(factory)}: parameter {name!r} cannot be given by keyword")
        annotation = hints.get(name, parameter.annotation)
        if annotation is parameter.empty or isinstance(annotation, str):
            known = parameter.default not in (parameter.empty, None)
            annotation = type(parameter.default) if known else Any
        parameters[name] = (annotation, parameter.default)
    return parameters
