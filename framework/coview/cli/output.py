"""Printing lists: aligned for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from coview.errors import printable


def say(text: str) -> None:
    """A text with names in it that come from files, on standard output."""
    click.echo(printable(text))


def print_json(value: Any) -> None:
    """One JSON document on standard output; dates, which JSON does not have, as text."""
    say(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def print_columns(rows: Sequence[Sequence[str]], indent: str = "") -> None:
    """Rows with aligned columns; the last one is as long as it is."""
    if not rows:
        return
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)]
        say((indent + "  ".join([*cells, row[-1]])).rstrip())
