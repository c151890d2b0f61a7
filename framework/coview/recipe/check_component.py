"""Checking one component's table against the constructor that it will be given to."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from pydantic import BaseModel

from coview.errors import CoviewError
from coview.plugins.component import Kind, in_one_line
from coview.plugins.parameters import Parameters
from coview.plugins.registry import AmbiguousNameError, Registry, Use
from coview.plugins.table_problems import validate_strictly, without_values
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


_T = TypeVar("_T")

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
        if not isinstance(use, str):
            return ()
        try:
            return tuple(parameter.name for parameter in self.parameters(kind, use).parameters)
        except CoviewError:
            return ()

    def parameters(self, kind: Kind, use: str) -> Parameters:
        """The parameters of a component whose table has been checked."""
        return self._registry.parameters(kind, use)

    def says(self, question: Callable[[Any], _T], kind: Kind, use: Any, modality: str | None = None) -> _T | None:
        """What that which builds the component says of itself; None if that is a mistake, which is noted elsewhere.

        Args:
            question: A function of a module. What it returns is made of plain values.
            kind: The kind of component.
            use: Its name.
            modality: The modality it has to serve.
        """
        if not isinstance(use, str):
            return None
        try:
            return self._registry.ask(self.resolved(kind, use, modality), _name(question), {}, question)
        except CoviewError:
            return None

    def built_says(
        self,
        question: Callable[[Any], _T],
        kind: Kind,
        use: str,
        parameters: Mapping[str, Any],
        modality: str | None = None,
    ) -> _T | None:
        """What a component, whose table has been checked, says of itself once it is built: that can depend on its
        parameters.

        Args:
            question: A function of a module. What it returns is made of plain values.
            kind: The kind of component.
            use: Its name.
            parameters: Its table.
            modality: The modality it has to serve.

        Raises:
            Exception: What the constructor raises of these parameters, or the question.
        """
        try:
            resolved = self.resolved(kind, use, modality)
            schema = self._registry.parameters_of(resolved)
        except CoviewError:
            return None
        return self._built_says(question, resolved, schema, parameters)

    def _built_says(
        self, question: Callable[[Any], _T], use: Use, schema: Parameters, parameters: Mapping[str, Any]
    ) -> _T:
        def answer(factory: Callable[..., Any]) -> _T:
            return question(factory(**_placeholders(schema), **schema.arguments(parameters)))

        if _may_read_files(schema, parameters):  # which can change by themselves
            return answer(use.factory())
        return self._registry.ask(use, _name(question), parameters, answer)

    def own_table(self, model: type[BaseModel], table: Any, path: Key) -> BaseModel | None:
        """Checks one of coview's own tables."""
        if not isinstance(table, dict):
            return None
        if not table and (empty := without_values(model)) is not None:
            return empty
        valid, problems = validate_strictly(model, table, partial(key_types, model))
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
            component = self.resolved(kind, placed_use, modality)
            schema = self._registry.parameters_of(component)
        except AmbiguousNameError as mistake:
            if modality is not None or kind not in _OF_A_MODALITY:
                self._mistakes.add(at, mistake.message)
            return None  # which one is meant is known once the data is, and that is a mistake already
        except CoviewError as mistake:
            self._mistakes.add(at, ": ".join(filter(None, (mistake.message, mistake.hint))), mistake)
            return None
        given = {key: value for key, value in table.items() if key != "use"}
        written, problems = schema.checked(given, also)
        for problem in problems:
            self._mistakes.add(_inner(path, problem.path), problem.message)
        if written is None:
            return None
        try:
            placed = self.places.parameters(schema, given, path)
        except CoviewError as mistake:
            self._mistakes.add(path, ": ".join(filter(None, (mistake.message, mistake.hint))), mistake)
            return None
        if kind in _CHEAP:
            try:
                self._built_says(can_be_built, component, schema, placed)
            except (ValueError, CoviewError) as error:
                self._mistakes.add(path, str(error), error)
                return None
            except (
                Exception,
                SystemExit,
            ) as error:  # whatever a constructor makes of odd values: they are the recipe's
                self._mistakes.add(path, f'"{use}" cannot be built: {in_one_line(error)}', error)
                return None
        resolved = {"use": use, **written}
        return ComponentTable(placed_use, placed, as_written=resolved), resolved


def can_be_built(component: object) -> None:
    """Nothing more is asked: the constructor has said it."""


def _name(question: Callable[[Any], Any]) -> str:
    return f"{question.__module__}:{question.__qualname__}"


def _may_read_files(schema: Parameters, parameters: Mapping[str, Any]) -> bool:
    """Whether a constructor is given a path, or has one by default."""
    defaults = {parameter.name: parameter.default for parameter in schema.parameters}
    return any(name in parameters or defaults.get(name) is not None for name in schema.paths)


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
