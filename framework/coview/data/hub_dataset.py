"""A data set of the Hugging Face hub: what there is beside its samples, which a plugin makes of the rows."""

from __future__ import annotations

from typing import ClassVar, Self

from coview.data.hub_rows import HubRows


class HubDataset:
    """The base of a plugin's data set: it gives the rows, and makes a sample of each in ``__getitem__``.

    Attributes:
        path: A hub id or a folder, what stands after the colon in a recipe.
        rows: Of the split.
        classes, citation, licence, version: As the rows have them.
    """

    path: ClassVar[str] = ""
    splits: ClassVar[tuple[str, ...]] = ("train", "test")

    def __init__(self, rows: HubRows) -> None:
        self.rows = rows
        self.classes = rows.classes
        self.citation, self.version = rows.citation, rows.version
        self.licence = rows.licence or "see the hub"

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def of(cls, path: str) -> type[Self]:
        """The class for one data set: the factory of a family has its signature."""
        return type(cls.__name__, (cls,), {"path": path, "__doc__": cls.__doc__, "__module__": cls.__module__})
