"""Suggestions for a misspelt name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """``, did you mean "temperature"?`` for the nearest known name, or nothing if none is near."""
    near = difflib.get_close_matches(given, sorted(set(known)), n=2, cutoff=0.6)
    return ", did you mean " + " or ".join(f'"{name}"' for name in near) + "?" if near else ""
