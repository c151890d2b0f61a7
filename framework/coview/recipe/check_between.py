"""Whether the modalities that a term of the loss names are there, and whether it has a use for them."""

from __future__ import annotations

from collections.abc import Sequence

from coview.plugins.nearest import did_you_mean
from coview.recipe.key import Key, key_of_term
from coview.recipe.mistakes import Mistakes
from coview.recipe.recipe import LossTable


def check_between(mistakes: Mistakes, term: LossTable, used: Sequence[str], path: Key) -> None:
    """Notes a modality that is not there or is named twice, and a loss that sees tokens and no views.

    Args:
        mistakes: Where to note it.
        term: The term of the loss.
        used: The modalities of the views; none if that is a mistake already.
        path: Where the term stands.
    """
    between = term.settings.between
    if between is None or not used:
        return
    key: Key = (*path, "between")
    for name in dict.fromkeys(between):
        if between.count(name) > 1:
            mistakes.add(key, f'names "{name}" twice')
        if name not in used:
            message = f'the views are of {" and ".join(used)}, and none is of "{name}"'
            mistakes.add(key, message + did_you_mean(name, used))
    if term.needs is not None and term.needs.tokens != "unused":
        mistakes.add(key, f"{term.use} works on hidden tokens, which belong to one modality: remove this key")


def views_seen(term: LossTable, views: Sequence[str]) -> list[int]:
    """The numbers of the views that a term sees.

    Args:
        term: The term.
        views: The modality of each view.
    """
    between = term.settings.between
    return [view for view, name in enumerate(views) if between is None or name in between]


def where_views(term: LossTable, index: int, terms: int, of_all: Key) -> Key:
    """Where a recipe says which views a term sees: in the term itself, or where those of all terms stand."""
    return of_all if term.settings.between is None else (*key_of_term(index, terms)[:-1], "between")
