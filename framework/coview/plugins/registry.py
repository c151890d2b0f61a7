"""Names to components: qualified names, ambiguity, families, and building what a recipe asks for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from coview.errors import CoviewError
from coview.plugins.component import KINDS, Component, Kind
from coview.plugins.hookspecs import new_manager
from coview.plugins.nearest import did_you_mean

if TYPE_CHECKING:
    import pluggy

    from coview.plugins.discovery import PluginStatus
    from coview.plugins.parameters import Parameters

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")

_ARTICLE = {"augmentation": "an", "encoder": "an", "evaluator": "an"}


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


@dataclass
class Registry:
    """Everything the loaded plugins have registered.

    A plugin's ``coview_register`` gets a staging registry bound to its name; the loader commits it to the real one
    only if all of it succeeded.

    Attributes:
        plugin: The name under which a staging registry registers.
        components: All of them, in order of registration.
        plugins: The status of every plugin that was found.
        manager: pluggy's, which knows the hooks of all plugins that are usable.
    """

    plugin: str = ""
    components: list[Component] = field(default_factory=list)
    plugins: Sequence[PluginStatus] = ()
    manager: pluggy.PluginManager = field(default_factory=new_manager, repr=False)

    # ---- registering -------------------------------------------------------------------------------------------

    def loss(self, name: str, target: str, *, summary: str, source: str = "", extra: str | None = None) -> None:
        """Registers a loss: ``target(**parameters)(views) -> scalar or mapping with "loss"``.

        One that takes ``width`` is given the width of the projections; it is not a recipe's to set.
        """
        self._add("loss", name, target, summary=summary, source=source, extra=extra)

    def augmentation(
        self,
        name: str,
        target: str,
        *,
        modality: str,
        summary: str,
        source: str = "",
        extra: str | None = None,
    ) -> None:
        """Registers an augmentation: ``target(**parameters)(value, rng) -> value``."""
        self._add("augmentation", name, target, summary=summary, source=source, extra=extra, modality=modality)

    def encoder(
        self,
        name: str,
        target: str,
        *,
        modality: str,
        summary: str,
        source: str = "",
        extra: str | None = None,
    ) -> None:
        """Registers an encoder: ``target(**parameters)(batch) -> Encoding``."""
        self._add("encoder", name, target, summary=summary, source=source, extra=extra, modality=modality)

    def projector(self, name: str, target: str, *, summary: str, source: str = "", extra: str | None = None) -> None:
        """Registers a projector: ``target(in_width=…, **parameters)(x_ND) -> z_ND``."""
        self._add("projector", name, target, summary=summary, source=source, extra=extra)

    def predictor(self, name: str, target: str, *, summary: str, source: str = "", extra: str | None = None) -> None:
        """Registers a predictor: ``target(in_width=…, width=…, **parameters)(z_ND) -> z_ND`` of that width."""
        self._add("predictor", name, target, summary=summary, source=source, extra=extra)

    def modality(self, name: str, target: str, *, summary: str, source: str = "", extra: str | None = None) -> None:
        """Registers a modality under the name that data sets and components refer to it by."""
        self._add("modality", name, target, summary=summary, source=source, extra=extra)

    def dataset(self, name: str, target: str, *, summary: str, source: str = "", extra: str | None = None) -> None:
        """Registers a data set: ``target(split=…, **parameters) -> Dataset``."""
        self._add("dataset", name, target, summary=summary, source=source, extra=extra)

    def evaluator(self, name: str, target: str, *, summary: str, source: str = "", extra: str | None = None) -> None:
        """Registers an evaluator: ``target(**parameters)``, an ``Evaluator`` or an ``EncoderEvaluator``."""
        self._add("evaluator", name, target, summary=summary, source=source, extra=extra)

    def resource(self, name: str, target: str, *, summary: str, licence: str, source: str, installed: str = "") -> None:
        """Registers files to be fetched: ``target(folder)`` writes them into an empty folder.

        ``coview data fetch NAME`` calls it, and ``coview.resource_folder(NAME)`` is where they are then. ``installed``
        is the folder in which the system's own package manager puts the same files, where it does.
        """
        self._add("resource", name, target, summary=summary, source=source, licence=licence, installed=installed)

    def family(
        self,
        kind: Kind,
        prefix: str,
        target: str,
        *,
        summary: str,
        example: str,
        modality: str | None = None,
        source: str = "",
        extra: str | None = None,
    ) -> None:
        """Registers all components of a library at once, as ``use = "prefix:NAME"``.

        ``target(NAME)`` returns a factory whose signature is the schema, or raises ``LookupError`` with a message.
        """
        self._add(
            kind, prefix, target, summary=summary, source=source, extra=extra, modality=modality,
            is_family=True, example=example,
        )  # fmt: skip

    def _add(self, kind: Kind, name: str, target: str, **details: Any) -> None:
        if kind not in KINDS:
            raise ValueError(f"unknown kind {kind!r}; kinds are {', '.join(KINDS)}")
        if not _NAME.fullmatch(name):
            raise ValueError(f"{kind} name {name!r} has to be lower-case letters, digits, '_' and '-'")
        if not _TARGET.fullmatch(target):
            raise ValueError(f"{kind} {name!r}: target {target!r} has to be 'module:attribute'")
        component = Component(kind=kind, name=name, plugin=self.plugin, target=target, **details)
        for other in self.components:
            if self._same_door(other, component) and other.plugin == component.plugin:
                raise ValueError(f"{kind} {name!r} is registered twice")
        self.components.append(component)

    @staticmethod
    def _same_door(a: Component, b: Component) -> bool:
        return (a.kind, a.name, a.is_family, a.modality) == (b.kind, b.name, b.is_family, b.modality)

    # ---- finding -----------------------------------------------------------------------------------------------

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
            raise UnknownComponentError(_lacks_name(use, named[0]))
        if not fitting:
            raise UnknownComponentError(self._unknown(kind, use, plugin, modality))
        if len(fitting) > 1:
            choices = " or ".join(sorted({f'"{component.qualified}{colon}{argument}"' for component in fitting}))
            raise AmbiguousNameError(f'"{use}" is ambiguous: write {choices}')
        if colon and not argument:
            raise UnknownComponentError(_lacks_name(use, fitting[0]))
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
        unusable = [status.name for status in self.plugins if status.status != "ok"]
        if unusable and not plugin:
            message += f". Not loaded: {', '.join(unusable)} (coview plugins list says why)"
        return message

    # ---- building ----------------------------------------------------------------------------------------------

    def parameters(self, kind: Kind, use: str, *, modality: str | None = None) -> Parameters:
        """The parameters that a component takes, from its constructor and docstring. Imports the target."""
        from coview.plugins.parameters import Parameters

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
            supplied: What coview passes itself: a data set's ``split``, a projector's ``in_width``, a predictor's
                ``in_width`` and ``width``, the ``width`` that a loss asks for.
            **parameters: What the recipe says.

        Raises:
            CoviewError: If a parameter is unknown, of the wrong type or out of range, or something is missing.
        """
        from coview.plugins.parameters import Parameters

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


def _lacks_name(use: str, family: Component) -> str:
    return f'"{use}" lacks a name after the colon, such as "{family.example}"'
