"""Whether a card has the memory that a run needs, and what to do where it does not, in the words of the recipe."""

from __future__ import annotations

from typing import Literal

from coview.experiment.estimate.cards import Card
from coview.experiment.estimate.counted import Counted
from coview.experiment.estimate.step_time import Range
from coview.recipe.recipe import Recipe

RESERVE, RESERVED_SHARE = 1.5e9, 0.1
"""What a card is assumed to need beside what is counted: its context and its libraries, and gaps between tensors."""

Fits = Literal["yes", "hardly", "no"]


def memory_needed(found: Counted) -> Range:
    """Bytes of each card: as counted, and with the reserve."""
    return Range(found.most, found.most * (1 + RESERVED_SHARE) + RESERVE)


def fits(needed: Range, card: Card) -> Fits:
    """Whether a card has so much: with the reserve, without it, or not at all."""
    if needed.high <= card.memory:
        return "yes"
    return "hardly" if needed.low <= card.memory else "no"


def advice_for(recipe: Recipe, found: Counted, card: Card) -> list[str]:
    """Settings that take less memory, the mildest first."""
    given = []
    room = card.memory * 0.85 - (found.most - found.step.most)
    rows = int(found.step.samples * room / found.step.most) if found.step.most else 0
    power = 1 << max(0, rows.bit_length() - 1)
    if not recipe.train.checkpoint_activations and not recipe.train.compile:
        given.append("train.checkpoint_activations = true: the same weights, for about a third more time")
    if room > 0 and rows >= 2 and power < found.step.samples:
        given.append(
            f"train.grad_cache = {power}: the same gradient of the whole batch, for a second forward pass; "
            "batch norm sees one part at a time"
        )
    if recipe.train.batch_size > 2:
        given.append("a smaller train.batch_size, or more cards: what a batch needs falls with the samples of a card")
    if room <= 0:
        given.insert(0, "a smaller model, or a smaller loss: what does not depend on the batch fills the card already")
    return given
