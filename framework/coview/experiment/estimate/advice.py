"""What to do where the memory of a card is too small, in the words of the recipe."""

from __future__ import annotations

from coview.experiment.estimate.cards import Card
from coview.experiment.estimate.counted import Counted
from coview.recipe.recipe import Recipe


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
