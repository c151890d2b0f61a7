"""One registered component: its name, and the target that is imported when a recipe needs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, get_args

from coview.errors import CoviewError

Kind = Literal["modality", "dataset", "augmentation", "encoder", "projector", "loss", "evaluator"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Component:
    """What a plugin has registered under a name.

    Attributes:
        kind: What it is.
        name: Its name, or a family's prefix.
        plugin: The plugin that registered it.
        target: ``module:attribute``, imported when needed.
        summary: One line for lists.
        source: Paper or reference.
        modality: The modality it is for, where it is for one.
        extra: The pip requirement that brings what the target imports.
        is_family: Whether it serves ``use = "name:…"``, one factory for each name after the colon.
        example: A value of ``use``, for a family.
    """

    kind: Kind
    name: str
    plugin: str
    target: str
    summary: str
    source: str = ""
    modality: str | None = None
    extra: str | None = None
    is_family: bool = False
    example: str = ""

    @property
    def qualified(self) -> str:
        """``plugin/name``, which is never ambiguous."""
        return f"{self.plugin}/{self.name}"

    def load(self) -> Callable[..., Any]:
        """Imports the target.

        Raises:
            CoviewError: If something it imports is not installed, or the target is not there.
        """
        module_name, _, attribute = self.target.partition(":")
        try:
            value: Any = import_module(module_name)
        except ModuleNotFoundError as error:
            missing = (error.name or str(error)).split(".")[0]
            if missing == module_name.split(".")[0]:
                raise CoviewError(f"{self.kind} {self.qualified}: no module {module_name!r}") from error
            raise CoviewError(
                f"{self.kind} {self.qualified} needs the package {missing!r}, which is not installed",
                hint=f"pip install '{self.extra or missing}'",
            ) from error
        for part in attribute.split("."):
            try:
                value = getattr(value, part)
            except AttributeError as error:
                raise CoviewError(f"{self.kind} {self.qualified}: {module_name!r} has no {attribute!r}") from error
        if not callable(value):
            raise CoviewError(f"{self.kind} {self.qualified}: {self.target!r} cannot be called")
        return value  # type: ignore[no-any-return]
