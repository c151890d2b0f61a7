"""The constructor is the schema: a component's typed keyword parameters and its docstring are its recipe table.

From one signature come the strict check of a recipe, the arguments that the constructor is called with, the page of
``coview plugins show``, the JSON Schema and so the editor's completion.
"""

from __future__ import annotations

import inspect
import typing
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic_core import PydanticSerializationError, to_jsonable_python

from coview.errors import CoviewError
from coview.plugins.component import Kind
from coview.plugins.own_settings import own_keys
from coview.plugins.table_problems import Problem, validate_strictly, without_values
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


_WHEN_NEEDED = ConfigDict(**STRICT, defer_build=True)
"""For what has been built before, and so can be: not every command needs it."""


@runtime_checkable
class BringsModel(Protocol):
    """A factory that brings the pydantic model of its table itself; it is called with the values as they are given."""

    parameters_model: type[BaseModel]


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
        annotations: Of each parameter its type, as the constructor says it.
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
    annotations: Mapping[str, Any] = field(default_factory=dict)

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
        import docstring_parser  # it costs start-up time, and what has been read before needs none

        doc = docstring_parser.parse(_docstring(factory))
        docs = {param.arg_name: " ".join((param.description or "").split()) for param in doc.params}
        about = "\n\n".join(part for part in (doc.short_description, doc.long_description) if part)
        own = _own_model(factory)
        annotations: dict[str, Any] = {}
        defaults: dict[str, Any] = {}
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
            annotations[name] = annotation
            defaults[name] = ... if required else default
            shown = None if required else _as_annotated(_jsonable(default), annotation)
            listed.append(Parameter(name, type_text(annotation), shown, required, docs.get(name, "")))
        if own is None:
            try:
                model = _model(_name(factory), annotations, defaults, docs)
            except Exception as error:
                raise CoviewError(f"{_name(factory)}: its parameters do not form a schema: {error}") from error
        else:
            model = own
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
            annotations=annotations,
        )

    def sketch(self) -> tuple[Any, ...] | None:
        """All of it as plain values and types, of which :meth:`of_sketch` makes the same without the constructor; None
        where the component brought its model."""
        if self.own_model:
            return None
        listed = tuple(astuple(parameter) for parameter in self.parameters)
        named = (self.supplied, self.paths, self.paths_or_names)
        return (self.model.__name__, dict(self.annotations), listed, self.doc, named)

    @classmethod
    def of_sketch(cls, sketch: tuple[Any, ...]) -> Parameters:
        """What the sketch is of. Its model knows which parameters have a default, and not all of the defaults."""
        name, annotations, rows, doc, (supplied, paths, paths_or_names) = sketch
        listed = tuple(Parameter(*row) for row in rows)
        defaults = {parameter.name: ... if parameter.required else parameter.default for parameter in listed}
        docs = {parameter.name: parameter.doc for parameter in listed}
        model = _model(name, annotations, defaults, docs, _WHEN_NEEDED)
        return cls(
            model,
            listed,
            doc,
            own_model=False,
            supplied=supplied,
            paths=paths,
            paths_or_names=paths_or_names,
            annotations=annotations,
        )

    def check(self, given: Mapping[str, Any], also: Iterable[str] = ()) -> list[Problem]:
        """Everything that is wrong with a table, in words.

        Args:
            given: The table, without ``use``.
            also: Keys that the table takes besides, for the message on an unknown one.
        """
        return self._validate(given, also)[1]

    def checked(
        self, given: Mapping[str, Any], also: Iterable[str] = ()
    ) -> tuple[dict[str, Any] | None, list[Problem]]:
        """What :meth:`resolved` and :meth:`check` give, at once; the table is None where something is wrong with it."""
        model, problems = self._validate(given, also)
        return None if model is None else self._resolved(model, given), problems

    def taken(self, offered: Mapping[str, Any]) -> dict[str, Any]:
        """Of what coview can pass itself, by name, that which the constructor takes."""
        return {name: offered[name] for name in self.supplied}

    def resolved(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """A valid table with every default written out, as JSON values; what is absent stays absent."""
        model, problems = self._validate(given)
        assert model is not None, problems
        return self._resolved(model, given)

    def _resolved(self, model: BaseModel, given: Mapping[str, Any]) -> dict[str, Any]:
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
        if not given and not self.own_model and (empty := without_values(self.model)) is not None:
            return empty, []
        types = {parameter.name: parameter.type for parameter in self.parameters}
        return validate_strictly(self.model, given, lambda: types | dict.fromkeys(also, ""))


def _model(
    name: str,
    annotations: Mapping[str, Any],
    defaults: Mapping[str, Any],
    docs: Mapping[str, str],
    config: ConfigDict = STRICT,
) -> type[BaseModel]:
    fields: dict[str, Any] = {
        key: (annotation, Field(defaults[key], description=docs.get(key) or None))
        for key, annotation in annotations.items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a parameter may be called "copy" or "schema": only a name here
        return create_model(name, __config__=config, **fields)


@lru_cache(maxsize=512)  # a family makes a new factory for each table
def _parameters_of(factory: Callable[..., Any], kind: Kind) -> Parameters:
    return Parameters._read(factory, kind)


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
