"""What a number of the encoder is held against: the controls that there are, and what the untrained one is.

An encoder with a parameter ``pretrained`` starts from trained weights where it is true, and from random ones where it
is false; one with a ``checkpoint`` besides takes them from there.
"""

from __future__ import annotations

from dataclasses import replace

from coview.evaluate.result import FeatureKind
from coview.plugins.registry import Registry
from coview.recipe.abilities import starts_trained
from coview.recipe.recipe import Recipe


def kind_of_encoder(recipe: Recipe, registry: Registry, modality: str | None = None) -> FeatureKind:
    """What the encoder that is measured is: only what was trained, by the run or by others, is called pretrained.

    An encoder without a parameter ``pretrained`` may say itself (``starts_trained``), and is else ``given``.

    Args:
        recipe: Whose encoder.
        registry: Where it comes from.
        modality: Which of several; absent: the first.
    """
    owner = _owner(recipe, modality)
    if recipe.trains or _is_given_weights(recipe, owner):
        return "pretrained"
    trained = _starts_trained(recipe, registry, owner)
    return "given" if trained is None else "pretrained" if trained else "untrained"


def kinds_of(recipe: Recipe, registry: Registry, modality: str | None = None) -> tuple[FeatureKind, ...]:
    """The features of a modality's encoder, by default the first's, and those of the controls that there are."""
    there = untrained_recipe(recipe, registry, modality) is not None
    control: tuple[FeatureKind, ...] = ("untrained",) if there else ()
    return kind_of_encoder(recipe, registry, modality), *control, "raw"


def untrained_recipe(recipe: Recipe, registry: Registry, modality: str | None = None) -> Recipe | None:
    """The recipe whose model, before any step, is the untrained control; None where there is none.

    Of a recipe that trains it is the recipe itself. Where nothing is trained that would be what is measured: there it
    is the same architecture at random weights, if the encoder's parameters can ask for them, or it has them without
    ``[start]``. Of several encoders all are at random weights that can be, so that one model is the control of each.

    Args:
        recipe: Whose model.
        registry: Where its encoders come from.
        modality: The one whose encoder is measured; absent: the first.
    """
    if recipe.trains:
        return recipe
    if _at_random(recipe, registry, _owner(recipe, modality)) is None:
        return None
    found = recipe
    for owner in dict.fromkeys(recipe.owner_of_encoder(name) for name in recipe.modalities):
        found = _at_random(found, registry, owner) or found
    return found


def _at_random(recipe: Recipe, registry: Registry, owner: str) -> Recipe | None:
    """A recipe of no step with one encoder at random weights; None where it has no others."""
    if _is_given_weights(recipe, owner):
        recipe = replace(recipe, start={name: of for name, of in recipe.start.items() if name != owner})
        if _starts_trained(recipe, registry, owner) is False:
            return recipe
    table = recipe.encoder[owner]
    parameters = registry.parameters("encoder", table.use, modality=owner).parameters
    if not _starts_trained(recipe, registry, owner) or all(parameter.name != "pretrained" for parameter in parameters):
        return None
    others = {key: value for key, value in table.parameters.items() if key != "checkpoint"}
    at_random = replace(table, parameters={**others, "pretrained": False}, as_written=None)
    return replace(recipe, encoder={**recipe.encoder, owner: at_random})


def untrained_in_words(recipe: Recipe, registry: Registry) -> str:
    """What the untrained control is, or why there is none."""
    if recipe.trains:
        return "the model as training starts from it" + (": at the weights of [start]" if recipe.start else "")
    if _is_given_weights(recipe, _owner(recipe, None)) and untrained_recipe(recipe, registry) is not None:
        return "the same architecture at random weights: without [start]"
    if untrained_recipe(recipe, registry) is not None:
        return "the same architecture at random weights: pretrained = false"
    if kind_of_encoder(recipe, registry) == "untrained":
        return "the encoder that is measured: nothing is trained, and its weights are random"
    return (
        f'none: nothing is trained, and "{recipe.encoder[recipe.modalities[0]].use}" has no trained weights that '
        "pretrained = false would leave out"
    )


def _owner(recipe: Recipe, modality: str | None) -> str:
    """The modality whose table says what the measured encoder is."""
    return recipe.owner_of_encoder(modality or recipe.modalities[0])


def _is_given_weights(recipe: Recipe, owner: str) -> bool:
    """Whether an encoder starts from the weights of ``[start]``, which were trained."""
    start = recipe.start.get(owner)
    return start is not None and "encoder" in start.parts


def _starts_trained(recipe: Recipe, registry: Registry, owner: str) -> bool | None:
    """Whether an encoder starts from trained weights; None where its parameters do not say."""
    table = recipe.encoder[owner]
    parameters = registry.parameters("encoder", table.use, modality=owner).parameters
    default = next((parameter.default for parameter in parameters if parameter.name == "pretrained"), None)
    if default is None:
        return starts_trained(registry.resolve("encoder", table.use, modality=owner).factory())
    return "checkpoint" in table.parameters or bool(table.parameters.get("pretrained", default))
