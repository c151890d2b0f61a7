"""Checking one component's table against the constructor that it will be given to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from coview.errors import CoviewError
from coview.plugins.component import Kind, in_one_line
from coview.plugins.parameters import Parameters, validate_strictly
from coview.plugins.registry import AmbiguousNameError, Registry, Use
from coview.recipe.key import Key
from coview.recipe.logit_scale import LogitScale
from coview.recipe.mistakes import Mistakes
from coview.recipe.place import Places
from coview.recipe.recipe import ComponentTable
from coview.recipe.tables import key_types

_CHEAP: tuple[Kind, ...] = (
    "augmentation", "evaluator", "loss", "mask", "modality", "sampler", "schedule", "target", "callback"
)  # fmt: skip
"""Kinds whose constructors are cheap by contract, and so are called to hear what they say of their parameters."""


_OF_A_MODALITY: tuple[Kind, ...] = ("augmentation", "encoder")


Checked = tuple[ComponentTable, dict[str, Any]]
"""A component to be built, and its resolved table."""


class ComponentChecker:
    """Checks tables against the components of a registry, and notes what is wrong.

    Attributes:
        places: Where the paths in them lead.
    """

    def __init__(self, registry: Registry, mistakes: Mistakes) -> None:
        self._registry = registry
        self._mistakes = mistakes
        self.places = Places(mistakes.layers)

    def factory(self, kind: Kind, use: Any, modality: str | None = None) -> Any:
        """What builds the component, or None if that is a mistake, which is noted elsewhere."""
        if not isinstance(use, str):
            return None
        try:
            return self._registry.resolve(kind, use, modality=modality).factory()
        except CoviewError:
            return None

    def resolved(self, kind: Kind, use: str, modality: str | None) -> Use:
        """What answers to a name for a modality, or for any.

        Raises:
            CoviewError: If nothing does, or more than one thing.
        """
        return self._registry.resolve(kind, use, modality=modality)

    def takes(self, kind: Kind, use: Any) -> tuple[str, ...]:
        """The names of the parameters that a recipe can give the component; none if it is a mistake."""
        factory = self.factory(kind, use)
        return () if factory is None else tuple(p.name for p in Parameters.of(factory, kind).parameters)

    def parameters(self, kind: Kind, use: str) -> Parameters:
        """The parameters of a component whose table has been checked."""
        return Parameters.of(self.factory(kind, use), kind)

    def built(self, kind: Kind, use: str, parameters: Mapping[str, Any], modality: str | None = None) -> Any:
        """The component, whose table has been checked: what it needs can depend on its parameters."""
        factory = self.factory(kind, use, modality)
        if factory is None:
            return None
        schema = Parameters.of(factory, kind)
        return factory(**_placeholders(schema), **schema.arguments(parameters))

    def own_table(self, model: type[BaseModel], table: Any, path: Key) -> BaseModel | None:
        """Checks one of coview's own tables."""
        if not isinstance(table, dict):
            return None
        valid, problems = validate_strictly(model, table, key_types(model))
        for problem in problems:
            self._mistakes.add(_inner(path, problem.path), problem.message)
        return valid

    def settings(self, model: type[BaseModel], table: Any, path: Key) -> tuple[Any, Any]:
        """What in a component's table is coview's own, checked, and the rest of it."""
        if not isinstance(table, dict):
            return None, table
        own = {key: value for key, value in table.items() if key in model.model_fields}
        rest = {key: value for key, value in table.items() if key not in model.model_fields}
        return self.own_table(model, own, path), rest

    def check(
        self,
        kind: Kind,
        table: Any,
        path: Key,
        *,
        modality: str | None = None,
        also: tuple[str, ...] = (),
        implied_use: bool = False,
    ) -> Checked | None:
        """The component and its resolved table, or None if something is wrong with it.

        Args:
            kind: The kind of component.
            table: The table as given.
            path: Where it is in the recipe.
            modality: The modality it has to serve.
            also: Further keys that the table takes, for the message on an unknown one.
            implied_use: Whether ``use`` is not the user's, but coview's.
        """
        at = path if implied_use else (*path, "use")
        if not isinstance(table, dict):
            self._mistakes.add(path, f"has to be a table, got {json.dumps(table, default=str)}")
            return None
        use = table.get("use")
        if not isinstance(use, str):
            fault = "is missing" if use is None else f"has to be a string, got {json.dumps(use, default=str)}"
            self._mistakes.add(at, f"{fault}; it names the {kind}")
            return None
        try:
            placed_use = self.places.use(use, at)
            factory = self._registry.resolve(kind, placed_use, modality=modality).factory()
            schema = Parameters.of(factory, kind)
        except AmbiguousNameError as mistake:
            if modality is not None or kind not in _OF_A_MODALITY:
                self._mistakes.add(at, mistake.message)
            return None  # which one is meant is known once the data is, and that is a mistake already
        except CoviewError as mistake:
            self._mistakes.add(at, ": ".join(filter(None, (mistake.message, mistake.hint))), mistake)
            return None
        given = {key: value for key, value in table.items() if key != "use"}
        problems = schema.check(given, also)
        for problem in problems:
            self._mistakes.add(_inner(path, problem.path), problem.message)
        if problems:
            return None
        try:
            placed = self.places.parameters(schema, given, path)
        except CoviewError as mistake:
            self._mistakes.add(path, ": ".join(filter(None, (mistake.message, mistake.hint))), mistake)
            return None
        if kind in _CHEAP:
            try:
                factory(**_placeholders(schema), **schema.arguments(placed))
            except (ValueError, CoviewError) as error:
                self._mistakes.add(path, str(error), error)
                return None
            except (
                Exception,
                SystemExit,
            ) as error:  # whatever a constructor makes of odd values: they are the recipe's
                self._mistakes.add(path, f'"{use}" cannot be built: {in_one_line(error)}', error)
                return None
        resolved = {"use": use, **schema.resolved(given)}
        return ComponentTable(placed_use, placed, as_written=resolved), resolved


def _placeholders(schema: Parameters) -> dict[str, Any]:
    """Something for what coview passes itself, which only a run knows."""
    return {name: LogitScale(1.0) if name == "own_scale" else 8 for name in schema.supplied}


def as_json(model: BaseModel) -> dict[str, Any]:
    """A table of coview's own as JSON values, what is absent left out."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def beside_use(resolved: Mapping[str, Any], settings: BaseModel) -> dict[str, Any]:
    """A resolved component's table with coview's own settings in it."""
    rest = {key: value for key, value in resolved.items() if key != "use"}
    return {"use": resolved["use"], **as_json(settings), **rest}


def _inner(path: Key, problem: str) -> Key:
    parts = problem.split(".") if problem else []
    return (*path, *(int(part) if part.isdecimal() else part for part in parts))
