"""``coview doctor``: what works on this machine, and why the rest does not."""

from __future__ import annotations

import click

from coview.cli.output import print_columns, print_json


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def doctor(disabled: tuple[str, ...], as_json: bool) -> None:
    """What works on this machine, and why the rest does not.

    Versions, devices, plugins and extras, and where data is kept.
    """
    from coview.experiment.diagnosis import diagnose_machine
    from coview.plugins.discovery import load_plugins

    report = diagnose_machine(load_plugins(disable=disabled))
    if as_json:
        print_json(report)
        return
    for title, rows in report.items():
        click.echo(f"{title}:")
        print_columns([(name, text) for name, text in rows.items()], indent="  ")
