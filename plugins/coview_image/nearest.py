"""Suggestions for a misspelt name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """``, did you mean "Posterize"?`` for the nearest known names, whatever their case."""
    by_lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(given.lower(), sorted(by_lower), n=3, cutoff=0.6)
    return ", did you mean " + " or ".join(f'"{by_lower[name]}"' for name in near) + "?" if near else ""
