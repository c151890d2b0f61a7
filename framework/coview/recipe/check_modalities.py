"""Whether a recipe has an encoder of each modality that an evaluator measures or compares."""

from __future__ import annotations

from typing import Any

from coview.plugins.nearest import did_you_mean
from coview.plugins.own_settings import EvaluateSettings
from coview.recipe.abilities import Compared
from coview.recipe.key import Key
from coview.recipe.mistakes import Mistakes


def check_modalities(
    mistakes: Mistakes,
    says: Compared | None,
    settings: EvaluateSettings | None,
    use: Any,
    used: tuple[str, ...],
    at: Key,
) -> tuple[str, ...]:
    """Notes what is missing, and returns the modalities that other data of the evaluator have to have.

    Args:
        mistakes: Where to note it.
        says: What the evaluator says of what it compares; None if that is a mistake already.
        settings: Which tower it measures; None if that is a mistake already.
        use: Its name.
        used: The modalities that the recipe has an encoder of; none if that is a mistake already.
        at: Where in the recipe it stands.
    """
    compared = says.modalities if says is not None else ()
    given = None if settings is None else settings.modality
    if not used:
        return ()
    if says is None or not compared:
        if given is None:
            return used[:1]
        if given not in used:
            there = f"this recipe has an encoder of {' and one of '.join(used)}"
            mistakes.add((*at, "modality"), f'there is no encoder of "{given}"{did_you_mean(given, used)}: {there}')
        return (given,)
    if settings is not None:
        for key, value in (("modality", settings.modality), ("projector", settings.projector)):
            if value:
                message = f"{use} compares {' and '.join(compared)}, each after its projector: leave this key out"
                mistakes.add((*at, key), message)
    if lacking := [name for name in compared if name not in used]:
        message = (
            f"{use} compares {' and '.join(compared)} by what a model projects both to, and this recipe has no "
            f"encoder of {' and '.join(lacking)}, only of {' and '.join(used)}"
        )
        mistakes.add((*at, "use"), message)
    return says.of_data
