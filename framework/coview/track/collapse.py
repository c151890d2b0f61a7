"""Notices a collapsed representation, which no loss curve shows.

All samples mapped to one point, or onto one line, is a minimum of many objectives that have no negatives,
and a trap for the others; the loss may go on falling all the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

SPREAD = 0.1
"""Spread below which projections have collapsed to a point; isotropic ones have 1, equal ones 0."""

EFFECTIVE_RANK = 1.5
"""Effective rank below which projections have collapsed to a line; one dimension has 1."""


class CollapseWatch:
    """Warns once, when the diagnostics say that the representation has collapsed.

    Args:
        warmup_steps: Steps to stay silent for: a network's first projections may well be nearly equal.
        patience: How many logs in a row have to say so.
    """

    def __init__(self, *, warmup_steps: int = 100, patience: int = 3) -> None:
        self._warmup_steps = warmup_steps
        self._patience = patience
        self._in_a_row = 0
        self._warned = False

    def update(self, step: int, diagnostics: Mapping[str, float | None]) -> str | None:
        """Takes the numbers logged at a step; returns the warning if this is the moment for it.

        Args:
            step: The step.
            diagnostics: May have ``spread`` and ``effective_rank``; other keys, and numbers that are missing
                or not finite, are skipped.
        """
        if self._warned or step <= self._warmup_steps:
            return None
        found = _collapse(diagnostics)
        self._in_a_row = self._in_a_row + 1 if found else 0
        if found is None or self._in_a_row < self._patience:
            return None
        self._warned = True
        return (
            f"step {step}: the representation has collapsed: {found}, {self._patience} logs in a row. "
            "Usual causes: no predictor or no stop-gradient where the loss has no negatives, a learning rate "
            "that is too high, augmentations so strong that the views share nothing. Try a tenth of the "
            "learning rate or a longer warm-up, a larger batch, weaker augmentations; for a loss without "
            "negatives check [predictor] and [teacher]."
        )


def _collapse(diagnostics: Mapping[str, float | None]) -> str | None:
    spread = diagnostics.get("spread")
    if spread is not None and math.isfinite(spread) and spread < SPREAD:
        return f"its spread is {spread:.3g} (below {SPREAD:g}; 0 means that all samples are one point)"
    rank = diagnostics.get("effective_rank")
    if rank is not None and math.isfinite(rank) and rank < EFFECTIVE_RANK:
        return f"its effective rank is {rank:.3g} (below {EFFECTIVE_RANK:g}; 1 means that all lie on one line)"
    return None
