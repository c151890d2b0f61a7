"""Plain values and type annotations as bytes: pickles that name nothing but these.

Others are refused, when they are written and when they are read: nothing of a plugin is imported for what was kept of
it, and no code runs that a file asks for.
"""

from __future__ import annotations

import io
import pickle
from dataclasses import asdict
from typing import Any

_NAMES = frozenset(
    {
        *(f"builtins.{name}" for name in ("bool", "bytes", "complex", "dict", "float", "frozenset", "int", "list",
                                          "object", "set", "str", "tuple", "type", "Ellipsis")),
        *(f"typing.{name}" for name in ("Annotated", "Any", "Dict", "FrozenSet", "Iterable", "List", "Literal",
                                        "Mapping", "Optional", "Sequence", "Set", "Tuple", "Union")),
        *(f"collections.abc.{name}" for name in ("Collection", "Iterable", "Mapping", "Sequence", "Set")),
        "copyreg._reconstructor",
        "_functools.reduce",
        "functools.reduce",
        "_operator.getitem",
        "_operator.or_",
        "operator.getitem",
        "operator.or_",
        "pathlib.Path",
        "types.GenericAlias",
    }
)  # fmt: skip
_MODULES = frozenset({"annotated_types"})


class _Pickler(pickle.Pickler):
    def persistent_id(self, value: Any, /) -> dict[str, Any] | None:
        """What pydantic's ``Field(…)`` says of a type, which cannot be pickled where it is a pattern."""
        if type(value).__module__ != "pydantic.fields":
            return None
        said: dict[str, Any] = {}
        for constraint in value.metadata:
            said |= vars(constraint) if type(constraint).__module__ not in _MODULES else asdict(constraint)
        return said


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, said: Any, /) -> Any:
        """The ``Field(…)``."""
        from pydantic import Field  # it costs start-up time, and not every value has one

        return Field(**said)

    def find_class(self, module: str, name: str, /) -> Any:
        if f"{module}.{name}" not in _NAMES and (module not in _MODULES or "." in name):
            raise pickle.UnpicklingError(f"{module}.{name} does not belong to plain values")
        return super().find_class(module, name)


def to_bytes(value: Any) -> bytes | None:
    """The value as bytes that :func:`from_bytes` reads; None where it is, or holds, something else than plain values
    and type annotations."""
    try:
        written = io.BytesIO()
        _Pickler(written, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
        data = written.getvalue()
        from_bytes(data)
    except Exception:  # whatever the values' own ways of being copied raise
        return None
    return data


def from_bytes(data: bytes) -> Any:
    """The value.

    Raises:
        Exception: Of any kind, if the bytes are no such value.
    """
    return _Unpickler(io.BytesIO(data)).load()
