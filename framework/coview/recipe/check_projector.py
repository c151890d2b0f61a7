"""Whether a projector, and what of it is evaluated with the encoder, are what a recipe can have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from coview.plugins.own_settings import ProjectorSettings
from coview.recipe.check_component import ComponentChecker, beside_use
from coview.recipe.key import Key
from coview.recipe.mistakes import Mistakes
from coview.recipe.recipe import EvaluateTable, ProjectorTable
from coview.recipe.tables import StartTable

CheckedProjector = tuple[ProjectorTable, dict[str, Any]]
"""As given, and its resolved table."""


def check_projector(components: ComponentChecker, table: Any, path: Key) -> CheckedProjector:
    """One modality's table; an empty one if something is wrong with it, which is noted."""
    settings, rest = components.settings(ProjectorSettings, table, path)
    checked = components.check("projector", rest, path, also=tuple(ProjectorSettings.model_fields))
    if checked is None or settings is None:
        return ProjectorTable(""), {}
    given, resolved = checked
    found = ProjectorTable(given.use, given.parameters, settings, as_written=given.as_written)
    return found, beside_use(resolved, settings)


def random_layers(
    mistakes: Mistakes,
    projectors: Mapping[str, CheckedProjector],
    start: Mapping[str, tuple[StartTable, Any]],
    evaluate: Sequence[EvaluateTable],
) -> Iterator[str]:
    """A sentence for each projector of a recipe without a step whose layers are evaluated as they were drawn.

    Args:
        mistakes: Says where in the recipe it is.
        projectors: By modality.
        start: What towers start from.
        evaluate: The evaluators.
    """
    first = next(iter(projectors), "")
    for name, (table, _) in projectors.items():
        if table.use == "identity" or (name in start and "projector" in start[name][0].parts):
            continue
        at: list[Key] = [
            ("evaluate", index, "projector")
            for index, of in enumerate(evaluate)
            if of.projector and (of.modality or first) == name
        ]
        if table.settings.evaluated_layers is not None:
            at.insert(0, ("projector", *((name,) if len(projectors) > 1 else ()), "evaluated_layers"))
        for place in at:
            yield (
                f"{mistakes.where(place)}: the projector's layers are evaluated as they were drawn: no step is taken, "
                'and [start] does not bring them, with parts = ["encoder", "projector"]'
            )
