"""``--launcher`` and ``--launch-set``: where runs are computed, and what a cluster is told of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def launcher_option(help: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``--launcher``, with what it means for a command."""
    choices = click.Choice(["local", "slurm", "ray"])
    return click.option("--launcher", default="local", show_default=True, type=choices, help=help)


launch_set_option = click.option(
    "--launch-set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of Slurm's jobs or Ray's tasks, such as timeout_min=60.",
)
