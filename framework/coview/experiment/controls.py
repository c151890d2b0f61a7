"""What a number of the encoder is held against: the controls that there are, and what the untrained one is.

An encoder with a parameter ``pretrained`` starts from trained weights where it is true, and from random ones where it
is false; one with a ``checkpoint`` besides takes them from there.
"""

from __future__ import annotations

from dataclasses import replace

from coview.evaluate.result import FEATURE_KINDS, FeatureKind
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe


def kinds_of(recipe: Recipe, registry: Registry) -> tuple[FeatureKind, ...]:
    """The encoder's features and those of the controls that there are."""
    return tuple(
        kind for kind in FEATURE_KINDS if kind != "untrained" or untrained_recipe(recipe, registry) is not None
    )


def untrained_recipe(recipe: Recipe, registry: Registry) -> Recipe | None:
    """The recipe whose model, before any step, is the untrained control; None where there is none.

    Of a recipe that trains it is the recipe itself. Where nothing is trained that would be what is measured: there it
    is the same architecture at random weights, if the encoder's parameters can ask for them.
    """
    if recipe.trains:
        return recipe
    modality = recipe.modalities[0]
    table = recipe.encoder[modality]
    parameters = registry.parameters("encoder", table.use, modality=modality).parameters
    default = next((parameter.default for parameter in parameters if parameter.name == "pretrained"), None)
    if default is None or not (table.parameters.get("pretrained", default) or "checkpoint" in table.parameters):
        return None
    others = {key: value for key, value in table.parameters.items() if key != "checkpoint"}
    at_random = replace(table, parameters={**others, "pretrained": False}, as_written=None)
    return replace(recipe, encoder={**recipe.encoder, modality: at_random})


def untrained_in_words(recipe: Recipe, registry: Registry) -> str:
    """What the untrained control is, or why there is none."""
    if recipe.trains:
        return "the model as training starts from it"
    if untrained_recipe(recipe, registry) is not None:
        return "the same architecture at random weights: pretrained = false"
    return (
        f'none: nothing is trained, and "{recipe.encoder[recipe.modalities[0]].use}" has no trained weights that '
        "pretrained = false would leave out"
    )
