"""The registry of a command that only asks components what they are: their answers are kept for the next command."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from coview.plugins.registry import Registry

no_cache_option = click.option(
    "--no-cache",
    is_flag=True,
    help="Import every component and ask it anew; keep nothing of what it says.",
)


@contextmanager
def remembering_registry(disabled: tuple[str, ...], *, no_cache: bool) -> Iterator[Registry]:
    """The registry of the installed plugins.

    Args:
        disabled: Plugins to leave out.
        no_cache: Whether each component is asked anew.
    """
    from coview.plugins.discovery import load_plugins

    # pydantic would look for plugins of its own in every distribution that is installed
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    registry = load_plugins(disable=disabled)
    if no_cache:
        yield registry
        return
    registry = registry.remembering()
    try:
        yield registry
    finally:
        if registry.answers is not None:
            registry.answers.save()
