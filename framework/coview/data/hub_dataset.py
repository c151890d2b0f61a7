"""A data set of the Hugging Face hub: what there is beside its samples, which a plugin makes of the rows."""

from __future__ import annotations

import inspect
import typing
from typing import Any, ClassVar, Self

import docstring_parser

from coview.data.hub_rows import HubRows, splits_of_rows


class HubDataset:
    """The base of a plugin's data set: it gives the rows, and makes a sample of each in ``__getitem__``.

    A plugin's class has keyword parameters of its own, such as the column of its values, and ``**rows``, which it
    passes on. A recipe gives those of :class:`HubRows` too: ``of`` adds them, and their documentation.

    Attributes:
        path: A hub id or a folder, what stands after the colon in a recipe.
        rows: Of the split.
        classes, citation, licence, version, notes: As the rows have them.
        labels: The class of every row, -1 for none; None without classes.

    Args:
        rows: Parameters of :class:`HubRows`.
    """

    path: ClassVar[str] = ""
    splits: ClassVar[tuple[str, ...]] = ("train", "test")

    def __init__(self, **rows: Any) -> None:
        self.rows = HubRows(self.path, **rows)
        self.classes = self.rows.classes
        self.citation, self.version = self.rows.citation, self.rows.version
        self.licence = self.rows.licence or "see the hub"
        self.notes, self.labels = self.rows.notes, self.rows.labels()

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def find_splits(cls, validation_split: Any = None, **parameters: Any) -> tuple[str, ...]:
        """The splits that there are with these parameters."""
        return splits_of_rows(validation_split)

    @classmethod
    def of(cls, path: str) -> type[Self]:
        """The class for one data set: the factory of a family.

        Its signature and docstring have the class's own parameters, then those of :class:`HubRows`.

        Args:
            path: A hub id or a folder.
        """
        own = _parameters(cls)
        shared = {name: parameter for name, parameter in _parameters(HubRows).items() if name not in ("path", *own)}
        content = {
            "path": path,
            "__doc__": _documented(cls, shared),
            "__module__": cls.__module__,
            "__signature__": inspect.Signature([*own.values(), *shared.values()]),
        }
        return type(cls.__name__, (cls,), content)


def _parameters(of: type[Any]) -> dict[str, inspect.Parameter]:
    """The keyword parameters of a class with their types, evaluated."""
    hints = typing.get_type_hints(of.__init__, include_extras=True)
    return {
        name: parameter.replace(annotation=hints.get(name, parameter.annotation), kind=parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(of).parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD
    }


def _documented(cls: type[Any], shared: typing.Collection[str]) -> str:
    """The docstring of a class, with those lines of :class:`HubRows` that are about its parameters."""
    doc = inspect.getdoc(cls) or ""
    lines = [
        f"    {param.arg_name}: {' '.join((param.description or '').split())}"
        for param in docstring_parser.parse(inspect.getdoc(HubRows) or "").params
        if param.arg_name in shared
    ]
    return "\n".join([doc if "\nArgs:\n" in doc else f"{doc}\n\nArgs:", *lines])
