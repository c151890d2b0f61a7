"""One registered component: its name, and the target that is imported when a recipe needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, get_args

from coview.errors import CoviewError

Kind = Literal[
    "modality", "dataset", "augmentation", "encoder", "projector", "predictor", "mask", "decoder", "target", "loss",
    "optimizer", "schedule", "sampler", "evaluator", "callback", "resource",
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)


class UnknownComponentError(CoviewError):
    """No component answers to a name."""


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
        licence: Of a resource.
        installed: The folder of a resource that a system's package manager has installed.
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
    licence: str = ""
    installed: str = ""

    @property
    def qualified(self) -> str:
        """``plugin/name``, which is never ambiguous."""
        return f"{self.plugin}/{self.name}"

    def load(self) -> Callable[..., Any]:
        """Imports the target.

        Raises:
            CoviewError: If something it imports is not installed, or it cannot be imported, or the target is not there.
        """
        module_name, _, attribute = self.target.partition(":")
        with self.explaining():
            value: Any = import_module(module_name)
        for part in attribute.split("."):
            try:
                value = getattr(value, part)
            except AttributeError as error:
                raise CoviewError(f"{self.kind} {self.qualified}: {module_name!r} has no {attribute!r}") from error
        if not callable(value):
            raise CoviewError(f"{self.kind} {self.qualified}: {self.target!r} cannot be called")
        return value  # type: ignore[no-any-return]

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Turns what goes wrong while the component's code is imported into a message.

        A plugin's code may raise anything; it is the recipe that needs it which fails, and nothing else.
        """
        try:
            yield
        except CoviewError:
            raise
        except ModuleNotFoundError as error:
            missing = (error.name or "").split(".")[0]
            if not missing or missing == self.target.partition(":")[0].split(".")[0]:
                raise self._broken(error) from error
            raise CoviewError(
                f"{self.kind} {self.qualified} needs the package {missing!r}, which is not installed",
                hint=f"pip install '{self.extra or missing}'",
            ) from error
        except (Exception, SystemExit) as error:
            raise self._broken(error) from error

    def _broken(self, error: BaseException) -> CoviewError:
        return CoviewError(
            f"{self.kind} {self.qualified} cannot be imported: {in_one_line(error)}",
            hint=f"tell the author of the plugin {self.plugin!r}; --debug shows where it happens",
        )


def in_one_line(error: BaseException) -> str:
    """The exception as a message: its type and what it says, without line breaks."""
    text = "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
