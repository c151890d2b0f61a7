"""Whether a recipe has an encoder of each modality that an evaluator compares."""

from __future__ import annotations

from typing import Any

from coview.recipe.abilities import ComparesModalities
from coview.recipe.key import Key
from coview.recipe.mistakes import Mistakes


def check_modalities(mistakes: Mistakes, evaluator: Any, use: Any, used: tuple[str, ...], at: Key) -> tuple[str, ...]:
    """Notes what is missing, and returns the modalities that other data of the evaluator have to have.

    Args:
        mistakes: Where to note it.
        evaluator: The evaluator; None if that is a mistake already.
        use: Its name.
        used: The modalities that the recipe has an encoder of; none if that is a mistake already.
        at: Where in the recipe it stands.
    """
    compared: tuple[str, ...] = evaluator.modalities if isinstance(evaluator, ComparesModalities) else ()
    if not compared or not used:
        return used[:1]
    if lacking := [name for name in compared if name not in used]:
        message = (
            f"{use} compares {' and '.join(compared)} by what a model projects both to, and this recipe has no "
            f"encoder of {' and '.join(lacking)}, only of {' and '.join(used)}"
        )
        mistakes.add((*at, "use"), message)
    return tuple(evaluator.of_data)
