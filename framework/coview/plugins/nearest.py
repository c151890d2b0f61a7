"""Suggestions for a misspelt name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_CLOSE = 0.6
_AS_CLOSE_AS_THE_BEST = 0.1


def did_you_mean(given: str, known: Iterable[str], ending: str = "") -> str:
    """``, did you mean "temperature"?`` for the nearest known name, or nothing if none is near.

    A second one is proposed only if it is about as near.

    Args:
        given: What was written.
        known: What could have been meant.
        ending: Put after each name that is proposed.
    """
    near = difflib.get_close_matches(given, sorted(set(known)), n=2, cutoff=_CLOSE)
    ratios = [difflib.SequenceMatcher(None, name, given).ratio() for name in near]
    proposed = [name for name, ratio in zip(near, ratios, strict=True) if ratio >= ratios[0] - _AS_CLOSE_AS_THE_BEST]
    return ", did you mean " + " or ".join(f'"{name}{ending}"' for name in proposed) + "?" if proposed else ""
