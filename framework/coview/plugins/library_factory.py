"""A library's class as a component of a family: its signature is the schema, its docstrings are the documentation."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from coview.plugins.nearest import did_you_mean

_T = TypeVar("_T")


def library_member(
    family: str, name: str, usable: Mapping[str, _T], *, what: str, unusable: Mapping[str, str] | None = None
) -> _T:
    """What a family's name means.

    Args:
        family: The library, as recipes write it before the colon.
        name: What stands after the colon; the names are case-sensitive.
        usable: What a recipe can name.
        what: What messages call one of them: "transform of a sound".
        unusable: What the library has and a recipe cannot use, each with the reason.

    Raises:
        LookupError: If there is none of that name, with the nearest names; or a recipe cannot use it.
    """
    if unusable is not None and name in unusable:
        raise LookupError(f'"{family}:{name}" cannot be used: {unusable[name]}')
    if name not in usable:
        raise LookupError(f'{family} has no {what} "{name}"{did_you_mean(name, usable)}')
    return usable[name]


def library_factory(
    library_class: type[Any],
    step: Callable[[Any], Any],
    *,
    annotations: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
    construct: Callable[..., Any] | None = None,
    doc: str | None = None,
    model: type[BaseModel] | None = None,
    batch: bool = False,
    missing: Callable[[ImportError], Exception] | None = None,
    limits: Mapping[str, tuple[float, float]] | None = None,
) -> Callable[..., Any]:
    """A factory with the keyword parameters of a library's class, which makes a component of an instance.

    A parameter that a recipe cannot give, such as a function, keeps its default. Where the class refuses a value, the
    factory raises ValueError with the library's reason.

    Args:
        library_class: The library's class.
        step: Makes the component of an instance.
        annotations: Types of parameters, in place of those that the class says; None for one that no recipe gives.
        defaults: Defaults of parameters, in place of the class's.
        construct: Makes the instance of the parameters that are given; by default the class.
        doc: The docstring of the factory; by default those of the class and its constructor.
        model: Checks a recipe's table, in place of one that is made of the parameters.
        batch: Whether the component works on whole batches.
        missing: What to raise where the library lacks an optional package of its own.
        limits: The least and the most of parameters that sizes follow from, which the library does not limit, and of
            the numbers in them. The names of parameters that the class does not have are skipped.
    """
    parameters = _parameters(library_class, annotations or {}, defaults or {})
    make, own_defaults = construct or library_class, dict(defaults or {})

    def build(**given: Any) -> Any:
        for name, (least, most) in (limits or {}).items():
            for number in _numbers(given.get(name)):
                if not least <= number <= most:
                    raise ValueError(f"{name} has to be from {least:,} to {most:,}, got {number}")
        try:
            return step(make(**{**own_defaults, **given}))
        except (AssertionError, KeyError, OSError, TypeError) as error:  # how some say that a value will not do
            library = library_class.__module__.partition(".")[0]
            raise ValueError(f"{library} refuses this: {str(error) or 'a parameter is out of its range'}") from error
        except ImportError as error:
            if missing is None:
                raise
            raise missing(error) from error

    build.__name__ = build.__qualname__ = library_class.__name__
    build.__doc__ = _docstring(library_class) if doc is None else doc
    build.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    attributes: Any = build
    attributes.__signature__ = inspect.Signature(parameters)
    attributes.batch = batch
    if model is not None:
        attributes.parameters_model = model
    return build


def _numbers(value: Any) -> Iterator[float]:
    """A number, or those in a list or a table."""
    if isinstance(value, int | float):
        yield value
    elif isinstance(value, Mapping):
        yield from _numbers(list(value.values()))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _numbers(part)


def _parameters(
    library_class: type[Any], annotations: Mapping[str, Any], defaults: Mapping[str, Any]
) -> list[inspect.Parameter]:
    listed = [
        parameter
        for parameter in inspect.signature(library_class).parameters.values()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    said = all(parameter.name in annotations for parameter in listed)
    hints = {} if said else typing.get_type_hints(library_class.__init__)
    parameters = []
    for parameter in listed:
        name, default = parameter.name, defaults.get(parameter.name, parameter.default)
        annotation = annotations[name] if name in annotations else _annotation(hints.get(name), default)
        if annotation is not None:
            parameters.append(parameter.replace(kind=parameter.KEYWORD_ONLY, default=default, annotation=annotation))
    return parameters


def _annotation(hint: Any, default: Any) -> Any:
    """What a recipe may give; None for what it cannot."""
    if hint is None:
        return type(default)
    is_union = isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union
    members = typing.get_args(hint) if is_union else (hint,)
    if any(typing.get_origin(member) is Callable or member is Callable for member in members):
        return None
    if Path in members:
        return Path
    return hint | None if default is None else hint


def _docstring(library_class: type[Any]) -> str:
    docs = (inspect.getdoc(library_class), library_class.__init__.__doc__)
    return "\n\n".join(inspect.cleandoc(doc) for doc in docs if doc)
