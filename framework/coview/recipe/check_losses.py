"""The terms of a recipe's loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from coview.errors import CoviewError
from coview.plugins.own_settings import LossSettings
from coview.recipe.check_between import check_between
from coview.recipe.check_component import ComponentChecker, beside_use
from coview.recipe.key import Key
from coview.recipe.merge import DEFAULT_USE
from coview.recipe.mistakes import Mistakes
from coview.recipe.needs import Needs, needs_of
from coview.recipe.recipe import LossTable


def check_losses(
    components: ComponentChecker, mistakes: Mistakes, tables: Any, used: Sequence[str]
) -> list[tuple[LossTable, dict[str, Any]]]:
    """The terms of ``[loss]`` or ``[[loss]]`` with their resolved tables; what is wrong is noted.

    Args:
        components: Where losses come from.
        mistakes: Where to note it.
        tables: As the recipe has them.
        used: The modalities of the views; none if that is a mistake already.
    """
    if tables is None:
        return []
    found = []
    if tables == []:
        mistakes.add(("loss",), "at least one loss is needed")
    for index, table in enumerate([tables] if isinstance(tables, dict) else tables):
        path: Key = ("loss",) if isinstance(tables, dict) else ("loss", index)
        settings, rest = components.settings(LossSettings, table, path)
        checked = components.check("loss", rest, path, also=tuple(LossSettings.model_fields))
        if checked is not None and settings is not None:
            given = checked[0]
            try:
                values = components.built_says(_needs, "loss", given.use, given.parameters)
            except CoviewError as mistake:
                mistakes.add(path, mistake.message, mistake)
                continue
            needs = None if values is None else Needs(**values)
            if settings.prefixes is not None:
                takes_width = bool({"width", "token_width"} & set(components.parameters("loss", given.use).supplied))
                _check_prefixes(mistakes, path, given.use, settings.prefixes, needs, takes_width=takes_width)
            term = LossTable(given.use, given.parameters, settings, needs, as_written=given.as_written)
            check_between(mistakes, term, used, path)
            found.append((term, beside_use(checked[1], settings)))
    return found


def _needs(loss: object) -> dict[str, Any] | None:
    """What a loss needs as plain values."""
    needs = needs_of(loss)
    return None if needs is None else asdict(needs)


def _check_prefixes(
    mistakes: Mistakes, path: Key, use: str, prefixes: Sequence[int], needs: Needs | None, *, takes_width: bool
) -> None:
    at = (*path, "prefixes")
    if len(set(prefixes)) < len(prefixes):
        mistakes.add(at, "names a width twice")
    if needs is not None and not needs.projections:
        mistakes.add(at, f"{use} sees no projections, so there are no prefixes: remove it")
    elif takes_width:
        mistakes.add(at, f"{use} keeps what is as wide as the projections, and takes no prefixes of them: remove it")


def default_projector(terms: Sequence[LossTable]) -> str:
    """What the projector is where a recipe does not say: none, where no loss sees projections."""
    sees = [term.needs is None or term.needs.projections for term in terms]
    return DEFAULT_USE["projector"] if any(sees) or not sees else "identity"
