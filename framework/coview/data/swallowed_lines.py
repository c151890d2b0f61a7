"""Quotes in a table that are closed by chance: each swallows the rows between, and nothing in the syntax is wrong."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_ENDING = re.compile(r"\.\w{1,5}$")
_NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?$")
_MOST = 0.9


def has_swallowed_rows(lines: Sequence[str], delimiter: str, columns: int, others: Sequence[Sequence[str]]) -> bool:
    """Whether the lines of one row of a table look like a row each.

    Such is a text that opens with a quote and has none at its end, until a later text ends with one. Each of the lines
    has then as many fields as the header; and, since a text of several lines may have as many commas by chance, some
    column has in each what it has elsewhere: one of a few values, a number, a name with an ending.

    Args:
        lines: Those that the row was read from, more than one.
        delimiter: Between fields.
        columns: How many the header has.
        others: Some rows of the same table that are of one line each.
    """
    if columns < 2 or not all(line.count(delimiter) == columns - 1 for line in lines):
        return False
    if delimiter == "\t":  # which no text has in it
        return True
    for column, values in enumerate(zip(*(line.split(delimiter) for line in lines), strict=True)):
        known = Counter(row[column] for row in others)
        often = {value for value, count in known.items() if count > 1}
        usual = [shape for value in known.elements() if (shape := _shape(value, often))]
        if len(usual) < _MOST * len(others) or not others:
            continue
        if all(_shape(value, often) in set(usual) for value in values):
            return True
    return False


def _shape(value: str, often: set[str]) -> str:
    """What kind of value it is; empty for a text like no other."""
    if value in often:
        return "known"
    if _NUMBER.match(value):
        return "number"
    found = _ENDING.search(value)
    return found[0].lower() if found else ""
