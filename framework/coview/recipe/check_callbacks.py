"""Whether the callbacks of a recipe are what a run can call, and which of them change it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coview.plugins.callback import Callback
from coview.plugins.own_settings import CallbackSettings
from coview.recipe.check_component import ComponentChecker
from coview.recipe.key import Key
from coview.recipe.mistakes import Mistakes
from coview.recipe.recipe import CallbackTable


def check_callbacks(
    components: ComponentChecker, mistakes: Mistakes, recipe: Mapping[str, Any]
) -> list[tuple[CallbackTable, dict[str, Any]]]:
    """Each callback as given, and its resolved table; those that are a mistake are noted and left out."""
    checked = [
        _callback(components, mistakes, table, ("callback", index))
        for index, table in enumerate(recipe.get("callback", []))
    ]
    return [found for found in checked if found is not None]


def _callback(
    components: ComponentChecker, mistakes: Mistakes, table: Any, at: Key
) -> tuple[CallbackTable, dict[str, Any]] | None:
    settings, rest = components.settings(CallbackSettings, table, at)
    checked = components.check("callback", rest, at, also=tuple(CallbackSettings.model_fields))
    if checked is None or not isinstance(settings, CallbackSettings):
        return None
    component, resolved = checked
    use = component.use
    said = components.built_says(_what_it_does, "callback", use, component.parameters)
    made, does = said or ("nothing", None)
    if does is None:
        mistakes.add((*at, "use"), f'"{use}" makes a {made}, which is not a coview.Callback')
        return None
    changes_run, every_step = does
    if settings.changes_run not in (None, changes_run):
        says = "changes the run" if changes_run else "changes nothing of the run"
        mistakes.add((*at, "changes_run"), f'cannot be chosen in a recipe: "{use}" {says}; leave it out')
        return None
    others = {key: value for key, value in resolved.items() if key != "use"}
    written = {"use": resolved["use"], **({"changes_run": True} if changes_run else {}), **others}
    return (
        CallbackTable(
            use,
            component.parameters,
            changes_run=changes_run,
            every_step=every_step,
            as_written=written,
        ),
        written,
    )


def _what_it_does(callback: object) -> tuple[str, tuple[bool, bool] | None]:
    """The name of its class, and whether it changes the run and is told of every step; None if it is no callback."""
    does = (callback.changes_run, callback.every_step) if isinstance(callback, Callback) else None
    return type(callback).__name__, does
