"""What authors have published of a method, and where a recipe departs from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from coview.errors import CoviewError
from coview.plugins.nearest import did_you_mean
from coview.plugins.own_settings import OF_A_TABLE
from coview.recipe.merge import Layers
from coview.recipe.mistakes import Mistakes
from coview.recipe.read import read_document
from coview.recipe.recipe import Recipe
from coview.recipe.shipped import find_recipe
from coview.recipe.snapshot import flatten
from coview.recipe.tables import PaperTable

ABSENT = "(absent)"


class Published(BaseModel):
    """A record of what authors have set, as ``recipes/published/`` holds one for each method."""

    model_config = OF_A_TABLE

    title: str = Field(description="The method, and which of its settings: of which network, for how long.")
    paper: str = Field(description="Such as `arXiv:2111.06377`, with the section where that says more.")
    code: str = Field(description="The authors' repository, such as `facebookresearch/mae`; empty where there is none.")
    revision: str = Field(description="The commit that was read.")
    files: Annotated[list[str], Field(min_length=1)] = Field(description="What was read there, or in the paper.")
    settings: Annotated[dict[str, Any], Field(min_length=1)] = Field(
        description="What they set, by the keys of a recipe: `train.epochs`, `augment.0.scale`."
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

    def __str__(self) -> str:
        why = self.reason or "not declared"
        return f"{self.key}: {_in_words(self.published)} → {_in_words(self.given)}  ({why})"


def check_paper(mistakes: Mistakes, layers: Layers, table: PaperTable) -> None:
    """Notes what ``[paper]`` names and is not there."""
    if not table.record:
        if table.differs:
            mistakes.add(("paper", "differs"), "is of a record, and none is named")
        return
    path = _record_of(layers, table)
    if not path.is_file():
        mistakes.add(("paper", "record"), f'there is no file "{path}", nor a shipped record "{table.record}"')
        return
    try:
        published = read_published(path)
    except CoviewError as error:
        mistakes.add(("paper", "record"), error.message, error)
        return
    for key in table.differs:
        if key not in published.settings:
            hint = did_you_mean(key, published.settings)
            mistakes.add(("paper", "differs", key), f"{path} says nothing of it{hint}")


def published_of(recipe: Recipe) -> Published | None:
    """The record that a recipe names, itself or by a recipe that it extends; None where it names none."""
    return (
        None
        if recipe.paper is None or not recipe.paper.record
        else read_published(_record_of(recipe.layers, recipe.paper))
    )


def read_published(path: Path) -> Published:
    """Reads a record.

    Raises:
        CoviewError: If it is none.
    """
    document = read_document(path)
    try:
        return Published.model_validate(document.table)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise CoviewError(f"{path} is no record of a paper: {key}: {first['msg']}") from error


def departures(recipe: Recipe, published: Published) -> list[Departure]:
    """Every value that the record has and the recipe has otherwise, in the order of the record."""
    given = flatten(recipe.tables)
    reasons: Mapping[str, str] = {} if recipe.paper is None else recipe.paper.differs
    return [
        Departure(key, value, given.get(key, ABSENT), reasons.get(key, ""))
        for key, value in published.settings.items()
        if given.get(key, ABSENT) != value
    ]


def needlessly_declared(recipe: Recipe, published: Published) -> list[str]:
    """Keys of ``[paper.differs]`` that are as published after all, but for those that an empty reason takes back."""
    differing = {departure.key for departure in departures(recipe, published)}
    reasons: Mapping[str, str] = {} if recipe.paper is None else recipe.paper.differs
    return [key for key, reason in reasons.items() if reason and key not in differing]


def _record_of(layers: Layers, table: PaperTable) -> Path:
    return find_recipe(table.record, layers.folder(("paper", "record")))


def _in_words(value: Any) -> str:
    if value == ABSENT:
        return ABSENT
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
