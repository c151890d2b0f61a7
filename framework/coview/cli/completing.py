"""What a shell completes: names of recipes, of components and of plugins, beside the files that it knows itself."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem


class RecipeName(click.types.StringParamType):
    """A recipe: a file, or the name of one that comes with coview."""

    name = "recipe"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The names that go on so; the shell adds files."""
        from coview.recipe.shipped import shipped_names

        return [*_going_on(incomplete, shipped_names()), CompletionItem(incomplete, type="file")]


class ComponentName(click.types.StringParamType):
    """A component, or a plugin.

    Args:
        kind: Of components; empty: of all kinds, and plugins too.
    """

    name = "component"

    def __init__(self, kind: str = "") -> None:
        self.kind = kind

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The names that go on so; of a family its prefix and a colon."""
        from coview.plugins.discovery import load_plugins

        registry = load_plugins()
        names = {
            component.name + ":" * component.is_family
            for component in registry.components
            if not self.kind or component.kind == self.kind
        }
        if not self.kind:
            names |= {plugin.name for plugin in registry.plugins}
        return _going_on(incomplete, names)


def complete_kind(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The kinds of components."""
    from coview.plugins.component import KINDS

    return _going_on(incomplete, KINDS)


def _going_on(incomplete: str, names: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]
