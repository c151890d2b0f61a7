"""Suggestions for a misspelt name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_CLOSE = 0.6
_AS_CLOSE_AS_THE_BEST = 0.1


def did_you_mean(given: str, known: Iterable[str], ending: str = "") -> str:
    """``, did you mean "temperature"?`` for the nearest known name, or nothing if none is near.

    Whether letters are large or small does not count. A second name is proposed only if it is about as near.

    Args:
        given: What was written.
        known: What could have been meant.
        ending: Put after each name that is proposed.
    """
    spellings: dict[str, list[str]] = {}
    for name in sorted(set(known)):
        spellings.setdefault(name.lower(), []).append(name)
    wanted = given.lower()
    near = difflib.get_close_matches(wanted, spellings, n=2, cutoff=_CLOSE)
    ratios = [difflib.SequenceMatcher(None, name, wanted).ratio() for name in near]
    close = [name for name, ratio in zip(near, ratios, strict=True) if ratio >= ratios[0] - _AS_CLOSE_AS_THE_BEST]
    proposed = [f'"{name}{ending}"' for lower in close for name in spellings[lower]]
    return f", did you mean {' or '.join(proposed)}?" if proposed else ""
