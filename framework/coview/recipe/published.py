"""What authors have published of a method, and where a recipe departs from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from coview.errors import CoviewError
from coview.plugins.own_settings import OF_A_TABLE
from coview.recipe.merge import Layers
from coview.recipe.read import read_document
from coview.recipe.recipe import Recipe
from coview.recipe.shipped import find_recipe
from coview.recipe.snapshot import flatten
from coview.recipe.tables import PaperTable

ABSENT = "(absent)"


class Published(BaseModel):
    """A record of what authors have set, as ``recipes/published/`` holds one for each method."""

    model_config = OF_A_TABLE

    extends: str = Field(
        "", description="Another record, relative to this one; what it says holds unless this record says otherwise."
    )
    without: list[str] = Field(
        [], description="Keys of that record, or patterns such as `encoder.*`, that are not settings here."
    )
    title: str = Field(description="The method, and which of its settings: of which network, for how long.")
    paper: str = Field(description="The paper, such as `arXiv:2111.06377`, with the section where that says more.")
    code: str = Field(description="The authors' repository, such as `facebookresearch/mae`; empty if there is none.")
    revision: str = Field(description="The commit that was read.")
    files: Annotated[list[str], Field(min_length=1)] = Field(
        description="The files that were read there, or in the paper."
    )
    settings: Annotated[dict[str, Any], Field(min_length=1)] = Field(
        description="What the authors set, by the keys of a recipe: `train.epochs`, `augment.0.scale`."
    )


@dataclass(frozen=True)
class Departure:
    """A value of a recipe that is not as published.

    Attributes:
        key: Dotted.
        published, given: The values; ``ABSENT`` where the recipe has no such key.
        reason: Why, as ``[paper.differs]`` says; empty where it does not.
    """

    key: str
    published: Any
    given: Any
    reason: str

    @property
    def in_words(self) -> tuple[str, str]:
        """Both values as a recipe has them."""
        return _in_words(self.published), _in_words(self.given)

    def __str__(self) -> str:
        published, given = self.in_words
        return f"{self.key}: {published} → {given}  ({self.reason or 'not declared'})"


def published_of(recipe: Recipe) -> Published | None:
    """The record that a recipe names, itself or by a recipe that it extends; None where it names none."""
    return (
        None
        if recipe.paper is None or not recipe.paper.record
        else read_published(record_of(recipe.layers, recipe.paper))
    )


def required_published(recipe: Recipe) -> Published:
    """The same.

    Raises:
        CoviewError: If the recipe names none.
    """
    published = published_of(recipe)
    if published is None:
        raise CoviewError(
            f"{recipe.path}: it names no published method, nor does a recipe that it extends",
            hint='a [paper] with record = "published/NAME" says which it is',
        )
    return published


def read_published(path: Path) -> Published:
    """Reads a record.

    Raises:
        CoviewError: If it is none.
    """
    try:
        return Published.model_validate(_with_what_it_extends(path, ()))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise CoviewError(f"{path} is not a record of a paper: {key}: {first['msg']}") from error


def _with_what_it_extends(path: Path, within: tuple[Path, ...]) -> dict[str, Any]:
    table = _table(path)
    extends = table.get("extends")
    if not isinstance(extends, str) or not extends:
        return table
    if path in within:
        raise CoviewError(f"{path} extends itself, by way of {', '.join(str(other) for other in within[1:]) or path}")
    extended = _with_what_it_extends(path.parent / extends, (*within, path))
    inherited, own = extended.get("settings", {}), table.get("settings", {})
    dropped = table.get("without", [])
    are_tables = isinstance(inherited, dict) and isinstance(own, dict)
    if not are_tables or not isinstance(dropped, list) or not all(isinstance(drop, str) for drop in dropped):
        return table  # which is then refused
    kept = {key: value for key, value in inherited.items() if not any(fnmatchcase(key, drop) for drop in dropped)}
    return {**extended, **table, "settings": kept | own}


def _table(path: Path) -> dict[str, Any]:
    """What is in a record, which each cell of a comparison asks for; not to be written into."""
    try:
        found = path.stat()
    except OSError:  # which reading tells in words
        return read_document(path).table
    return _table_as_of(path, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


@lru_cache
def _table_as_of(path: Path, size: int, changed: int, renamed: int) -> dict[str, Any]:
    return read_document(path).table


def departures(recipe: Recipe, published: Published) -> list[Departure]:
    """Every value that the record has and the recipe has otherwise, in the order of the record."""
    given = flatten(recipe.tables)
    reasons: Mapping[str, str] = {} if recipe.paper is None else recipe.paper.differs
    return [
        Departure(key, value, given.get(key, ABSENT), _reason(key, reasons))
        for key, value in published.settings.items()
        if given.get(key, ABSENT) != value
    ]


def needlessly_declared(recipe: Recipe, published: Published) -> list[str]:
    """Keys of ``[paper.differs]`` that are as published after all, but for patterns, and for what an empty reason takes
    back.
    """
    differing = {departure.key for departure in departures(recipe, published)}
    reasons: Mapping[str, str] = {} if recipe.paper is None else recipe.paper.differs
    return [key for key, reason in reasons.items() if reason and key not in differing and not is_pattern(key)]


def is_pattern(key: str) -> bool:
    """Whether a key of ``[paper.differs]`` is of all that it matches."""
    return "*" in key


def _reason(key: str, reasons: Mapping[str, str]) -> str:
    """What is said of the key itself, or by the longest pattern that it matches."""
    if key in reasons:
        return reasons[key]
    matching = [pattern for pattern in reasons if is_pattern(pattern) and fnmatchcase(key, pattern)]
    return reasons[max(matching, key=len)] if matching else ""


def record_of(layers: Layers, table: PaperTable) -> Path:
    """Where the record is that ``[paper]`` names."""
    return find_recipe(table.record, layers.folder(("paper", "record")))


def _in_words(value: Any) -> str:
    if value == ABSENT:
        return ABSENT
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
