"""A type annotation in the words of a recipe's author: ``float > 0``, ``[float, float]``, ``"cosine" | "constant"``."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types as at
from pydantic.fields import FieldInfo

_PLAIN = {
    float: "float",
    int: "int",
    bool: "bool",
    str: "string",
    Path: "path",
    Any: "any value",
    dict: "table",
}


def type_text(annotation: Any) -> str:
    """The annotation in words; an absent (None) alternative is left out, as TOML has none."""
    origin = get_origin(annotation)
    if origin is Annotated:
        base, *constraints = get_args(annotation)
        limits = " and ".join(filter(None, map(_constraint, constraints)))
        return " ".join(filter(None, (type_text(base), limits)))
    if origin is Literal:
        return " | ".join(json.dumps(choice) for choice in get_args(annotation) if choice is not None)
    if origin in (Union, types.UnionType):
        return " | ".join(dict.fromkeys(type_text(part) for part in get_args(annotation) if part is not type(None)))
    if origin is tuple:
        parts = get_args(annotation)
        if len(parts) == 2 and parts[1] is Ellipsis:
            return f"[{type_text(parts[0])}, …]"
        return f"[{', '.join(map(type_text, parts))}]"
    if origin is list or (origin is not None and getattr(origin, "__name__", "") in ("Sequence", "Iterable")):
        return f"[{type_text((get_args(annotation) or (Any,))[0])}, …]"
    if origin is not None and issubclass(origin, Mapping):
        return f"table of {type_text(get_args(annotation)[1])}"
    return _PLAIN.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _constraint(constraint: Any) -> str:
    if isinstance(constraint, at.GroupedMetadata) and type(constraint).__module__ == at.__name__:
        return " and ".join(filter(None, (_constraint(part) for part in constraint)))
    for kind, sign in ((at.Gt, ">"), (at.Ge, "≥"), (at.Lt, "<"), (at.Le, "≤")):
        if isinstance(constraint, kind):
            return f"{sign} {getattr(constraint, kind.__name__.lower())}"
    if isinstance(constraint, at.MinLen):
        return f"(at least {constraint.min_length})"
    if isinstance(constraint, at.MaxLen):
        return f"(at most {constraint.max_length})"
    if isinstance(constraint, at.MultipleOf):
        return f"a multiple of {constraint.multiple_of}"
    # pydantic's Field(…) carries its constraints as metadata
    inner = constraint.metadata if isinstance(constraint, FieldInfo) else ()
    return " and ".join(filter(None, map(_constraint, inner)))
