"""Names to components: qualified names, ambiguity, families, and building what a recipe asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from pluggy import PluginManager

from coview.errors import CoviewError
from coview.plugins.answers import Answers
from coview.plugins.component import Component, Kind, UnknownComponentError, in_one_line
from coview.plugins.hookspecs import new_manager
from coview.plugins.nearest import did_you_mean
from coview.plugins.registrar import Registrar
from coview.plugins.status import PluginStatus

if TYPE_CHECKING:
    from coview.plugins.parameters import Parameters

_T = TypeVar("_T")

_ARTICLE = {"augmentation": "an", "encoder": "an", "evaluator": "an", "optimizer": "an"}


class AmbiguousNameError(UnknownComponentError):
    """More than one component answers to a name."""


@dataclass(frozen=True)
class Use:
    """A value of ``use``, resolved.

    Attributes:
        text: As it was given.
        component: What answers to it.
        argument: The part after the colon, for a family.
    """

    text: str
    component: Component
    argument: str | None = None

    @property
    def key(self) -> tuple[Component, str | None]:
        """What it is the same component by, however its name was written."""
        return self.component, self.argument

    def factory(self) -> Callable[..., Any]:
        """Imports and returns what builds the component.

        Raises:
            CoviewError: If it cannot be imported, or the family does not know the name.
        """
        return self.made_by(self.component.load())

    def made_by(self, target: Callable[..., Any]) -> Callable[..., Any]:
        """What builds the component, of the target that has been imported.

        Raises:
            CoviewError: If the family does not know the name.
        """
        if self.argument is None:
            return target
        with self.component.explaining():
            try:
                factory = target(self.argument)
            except LookupError as error:
                message = str(error.args[0]) if error.args else f"unknown name {self.text!r}"
                raise UnknownComponentError(message) from error
        return factory  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Registry:
    """The components of the loaded plugins: found by name, checked against their constructors, built.

    Attributes:
        components: All of them, in order of registration.
        plugins: The status of every plugin that was found.
        manager: Calls the lifecycle hooks of the loaded plugins.
        disabled: What was left out on request, as it was given to :func:`coview.load_plugins`: another process that
            is to see the same loads its plugins with it.
        answers: What components have answered to earlier commands; None where each is asked anew.
    """

    components: Sequence[Component] = ()
    plugins: Sequence[PluginStatus] = ()
    manager: PluginManager = field(default_factory=new_manager, repr=False, compare=False)
    disabled: tuple[str, ...] = ()
    answers: Answers | None = field(default=None, repr=False, compare=False)

    def remembering(self) -> Registry:
        """This registry, with what its components have answered to earlier commands."""
        return replace(self, answers=Answers.of(self.components, self.plugins))

    def plus(self, registrar: Registrar) -> Registry:
        """This registry with more components: those of a plugin that is not installed, as in its author's tests."""
        return replace(self, components=(*self.components, *registrar.components), answers=None)

    def of_kind(self, kind: Kind, modality: str | None = None) -> list[Component]:
        """The components of a kind, for one modality or for all."""
        return [
            component
            for component in self.components
            if component.kind == kind and (modality is None or component.modality in (None, modality))
        ]

    def resolve(self, kind: Kind, use: str, *, modality: str | None = None) -> Use:
        """What answers to ``use``.

        Args:
            kind: What is looked for.
            use: ``name``, ``plugin/name``, ``family:NAME`` or ``plugin/family:NAME``.
            modality: The modality it has to serve.

        Raises:
            UnknownComponentError: If nothing answers, with the nearest names; or more than one plugin does, with
                the qualified names to choose from.
        """
        head, colon, argument = use.partition(":")
        plugin, slash, name = head.rpartition("/")
        alike = self._by_name.get((kind, name), [])
        named = [component for component in alike if not slash or component.plugin == plugin]
        found = [component for component in named if component.is_family == bool(colon)]
        fitting = [component for component in found if modality is None or component.modality in (None, modality)]
        if found and not fitting:
            meant = " and ".join(sorted({component.modality or "" for component in found}))
            raise UnknownComponentError(f'"{use}" is {_ARTICLE.get(kind, "a")} {kind} for {meant}, not for {modality}')
        if not found and named:
            if colon:
                raise UnknownComponentError(f'"{use}": "{head}" is a single {kind} and takes no name after a colon')
            raise UnknownComponentError(lacks_name(use, named[0]))
        if not fitting:
            raise UnknownComponentError(self._unknown(kind, use, plugin, modality))
        if len(fitting) > 1:
            choices = " or ".join(sorted({f'"{component.qualified}{colon}{argument}"' for component in fitting}))
            raise AmbiguousNameError(f'"{use}" is ambiguous: write {choices}')
        if colon and not argument:
            raise UnknownComponentError(lacks_name(use, fitting[0]))
        return Use(use, fitting[0], argument if colon else None)

    @cached_property
    def _by_name(self) -> dict[tuple[str, str], list[Component]]:
        found: dict[tuple[str, str], list[Component]] = {}
        for component in self.components:
            found.setdefault((component.kind, component.name), []).append(component)
        return found

    def _unknown(self, kind: Kind, use: str, plugin: str, modality: str | None) -> str:
        statuses = {status.name: status for status in self.plugins}
        if plugin and plugin not in statuses:
            return f'"{use}": no plugin "{plugin}" is installed{did_you_mean(plugin, statuses)}'
        if plugin and (status := statuses[plugin]).status != "ok":
            return f'"{use}": the plugin "{plugin}" is {status.status}: {status.reason}'
        known = self.of_kind(kind, modality)
        plain = sorted({component.name for component in known if not component.is_family})
        families = [component.example for component in known if component.is_family]
        head, colon, argument = use.partition(":")
        alike = [component for component in known if component.is_family == bool(colon)]
        names = [component.qualified if plugin else component.name for component in alike]
        message = f'unknown {kind} "{use}"{did_you_mean(head, names, colon + argument)}'
        if plain:
            message += f" (installed: {', '.join(plain)})"
        if families:
            message += f"; or by name from a library, such as {', '.join(families)}"
        disabled = [status.name for status in self.plugins if status.status == "disabled"]
        unusable = [status.name for status in self.plugins if status.status not in ("ok", "disabled")]
        if disabled and not plugin:
            message += f". Disabled, by --no-plugin or the environment: {', '.join(disabled)}"
        if unusable and not plugin:
            message += f". Not loaded: {', '.join(unusable)} (coview plugins list says why)"
        return message

    def parameters(self, kind: Kind, use: str, *, modality: str | None = None) -> Parameters:
        """The parameters that a component takes, from its constructor and docstring. Imports the target, unless it has
        answered before."""
        return self.parameters_of(self.resolve(kind, use, modality=modality))

    def parameters_of(self, use: Use) -> Parameters:
        """The same of what a name was resolved to.

        Raises:
            CoviewError: If it cannot be imported, the family does not know the name, or it has no schema.
        """
        from coview.plugins.parameters import Parameters  # pydantic costs start-up time

        kind, answers = use.component.kind, self.answers
        if answers is None:
            return Parameters.of(use.factory(), kind)
        if use.key in answers.schemas:
            return answers.schemas[use.key]
        sketch = self.ask(use, "parameters", {}, lambda factory: Parameters.of(factory, kind).sketch())
        found = Parameters.of(use.factory(), kind) if sketch is None else Parameters.of_sketch(sketch)
        answers.schemas[use.key] = found
        return found

    def ask(self, use: Use, question: str, given: Mapping[str, Any], answer: Callable[[Callable[..., Any]], _T]) -> _T:
        """What a component says of itself, or has said before.

        Args:
            use: The component.
            question: The question's name.
            given: What the answer depends on besides the component's code, as JSON values.
            answer: Asks what builds the component. What it returns is kept where it is made of plain values.

        Raises:
            CoviewError: If it cannot be imported, or the family does not know the name.
            Exception: What else asking raises.
        """
        if self.answers is None:
            return answer(use.factory())

        def ask(target: Callable[..., Any]) -> _T:
            return answer(use.made_by(target))

        return self.answers.recall(use.component, use.argument, question, given, ask)

    def build(
        self,
        kind: Kind,
        use: str,
        /,
        *,
        modality: str | None = None,
        supplied: Mapping[str, Any] | None = None,
        **parameters: Any,
    ) -> Any:
        """Builds a component, its parameters checked as strictly as a recipe's.

        Args:
            kind: What to build.
            use: Its name.
            modality: The modality it has to serve.
            supplied: What coview passes itself: a data set's ``split``, and the ``modalities`` that one asks for which
                reads its values by them; a projector's ``in_width``, a predictor's ``in_width`` and ``width``, the
                ``width`` that a loss asks for.
            **parameters: What the recipe says.

        Raises:
            CoviewError: If a parameter is unknown, of the wrong type or out of range, or something is missing.
        """
        from coview.plugins.parameters import Parameters  # pydantic costs start-up time

        resolved = self.resolve(kind, use, modality=modality)
        factory = resolved.factory()
        schema = Parameters.of(factory, kind)
        problems = schema.check(parameters)
        if problems:
            text = "; ".join(f"{problem.path}: {problem.message}" for problem in problems)
            raise CoviewError(f'{kind} "{use}": {text}')
        try:
            return factory(**(supplied or {}), **schema.arguments(parameters))
        except ValueError as error:
            raise CoviewError(f'{kind} "{use}": {error}') from error
        except SystemExit as error:  # it would end coview without a word
            raise CoviewError(f'{kind} "{use}" cannot be built: {in_one_line(error)}') from error


def lacks_name(use: str, *families: Component) -> str:
    """What is said of families that are named without what of them is meant."""
    examples = " or ".join(f'"{family.example}"' for family in families)
    return f'"{use}" lacks a name after the colon, such as {examples}'
