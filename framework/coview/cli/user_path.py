"""Paths of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from coview.plugins.home import expanded


class UserPath(click.Path):
    """A path as the user writes it: ``~`` is the home folder, also in ``--out=~/runs``, which a shell leaves alone."""

    def __init__(self, **options: Any) -> None:
        super().__init__(path_type=Path, **options)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, written out."""
        return super().convert(expanded(value), param, ctx)
