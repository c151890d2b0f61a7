"""Names to components: qualified names, ambiguity, families, and building what a recipe asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pluggy import PluginManager

from coview.errors import CoviewError
from coview.plugins.component import Component, Kind, in_one_line
from coview.plugins.hookspecs import new_manager
from coview.plugins.nearest import did_you_mean
from coview.plugins.registrar import Registrar
from coview.plugins.status import PluginStatus

if TYPE_CHECKING:
    from coview.plugins.parameters import Parameters

_ARTICLE = {"augmentation": "an", "encoder": "an", "evaluator": "an", "optimizer": "an"}


class UnknownComponentError(CoviewError):
    """No component answers to a name."""


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

    def factory(self) -> Callable[..., Any]:
        """Imports and returns what builds the component.

        Raises:
            CoviewError: If it cannot be imported, or the family does not know the name.
        """
        target = self.component.load()
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
    """

    components: Sequence[Component] = ()
    plugins: Sequence[PluginStatus] = ()
    manager: PluginManager = field(default_factory=new_manager, repr=False, compare=False)
    disabled: tuple[str, ...] = ()

    def plus(self, registrar: Registrar) -> Registry:
        """This registry with more components: those of a plugin that is not installed, as in its author's tests."""
        return replace(self, components=(*self.components, *registrar.components))

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
        named = [
            component
            for component in self.components
            if component.kind == kind and component.name == name and (not slash or component.plugin == plugin)
        ]
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
        """The parameters that a component takes, from its constructor and docstring. Imports the target."""
        from coview.plugins.parameters import Parameters  # pydantic costs start-up time

        resolved = self.resolve(kind, use, modality=modality)
        return Parameters.of(resolved.factory(), kind)

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
