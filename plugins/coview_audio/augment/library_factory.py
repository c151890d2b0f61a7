"""A library's class as a component's factory: its signature is the schema, its docstrings are the documentation."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Le


def factory_of(
    library_class: type[Any], step: Callable[[Any], Any], *, missing: Callable[[ImportError], Exception] | None = None
) -> Callable[..., Any]:
    """A function with the class's keyword parameters that builds one and makes a step of it.

    Parameters that a recipe cannot give, such as functions, keep their defaults.

    Args:
        library_class: The library's.
        step: From an instance to the step.
        missing: What to raise where the library lacks an optional package of its own.
    """
    annotations, defaults = _parameters(library_class)

    def build(**parameters: Any) -> Any:
        try:
            return step(library_class(**parameters))
        except (AssertionError, TypeError) as error:  # how some say that a value will not do
            raise ValueError(str(error) or "a parameter is out of its range") from error
        except ImportError as error:
            if missing is None:
                raise
            raise missing(error) from error

    build.__name__ = build.__qualname__ = library_class.__name__
    docs = (inspect.getdoc(library_class), library_class.__init__.__doc__)
    build.__doc__ = "\n\n".join(inspect.cleandoc(doc) for doc in docs if doc)
    build.batch = getattr(step, "batch", False)  # type: ignore[attr-defined]
    build.__annotations__ = dict(annotations)
    build.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotations[name])
            for name, default in defaults.items()
        ]
    )
    return build


def _parameters(library_class: type[Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    annotations: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    hints = typing.get_type_hints(library_class.__init__)
    for name, parameter in inspect.signature(library_class).parameters.items():
        annotation = _annotation(name, hints.get(name), parameter.default)
        if parameter.kind is not parameter.VAR_KEYWORD and annotation is not None:
            annotations[name], defaults[name] = annotation, parameter.default
    return annotations, defaults


def _annotation(name: str, hint: Any, default: Any) -> Any:
    """What a recipe may give; None for what it cannot."""
    if name == "p":
        return Annotated[float, Ge(0), Le(1)]
    if hint is None:
        return type(default)
    is_union = isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union
    members = typing.get_args(hint) if is_union else (hint,)
    if any(typing.get_origin(member) is Callable or member is Callable for member in members):
        return None
    if Path in members:
        return Path
    return hint | None if default is None else hint
