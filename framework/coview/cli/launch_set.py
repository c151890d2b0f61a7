"""``--launch-set``: what a cluster is told of a job."""

from __future__ import annotations

import click

launch_set_option = click.option(
    "--launch-set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of Slurm's jobs or Ray's tasks, such as timeout_min=60.",
)
