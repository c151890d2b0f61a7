"""An encoder that somebody else trained, measured as a run's is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from coview.errors import CoviewError
from coview.experiment.run import Run, run
from coview.plugins.discovery import load_plugins
from coview.plugins.registry import Registry
from coview.recipe.abilities import modalities_of
from coview.recipe.load import layers_of
from coview.recipe.recipe import Recipe
from coview.recipe.validate import validate

_LONGEST_NAME = 100


def evaluate_encoder(
    encoder: str,
    data: str,
    *,
    overrides: Mapping[str, Any] | None = None,
    sets: Iterable[str] = (),
    out: Path | str = "runs",
    registry: Registry | None = None,
    quiet: bool = False,
) -> Run:
    """Measures an encoder as it is loaded, beside its controls, and writes what a run of no steps writes.

    Its trained weights are taken (``pretrained = true``) where it has that parameter; the untrained control is then
    the same architecture at random weights. The evaluators are ``knn`` and ``linear_probe`` unless the overrides name
    others.

    Args:
        encoder: As ``use`` in ``[encoder]`` has it, such as ``timm:resnet18``.
        data: As ``use`` in ``[data]`` has it, such as ``digits``.
        overrides: Further values of the recipe: ``{"encoder.pooling": "cls", "modality.size": 224}``, or nested
            mappings.
        sets: The same as texts ``KEY=VALUE``.
        out: Where runs go: ``out/NAME/STAMP-HASH``.
        registry: Where components come from; all installed plugins by default.
        quiet: Whether to show no progress.

    Raises:
        RecipeError: If there is no such encoder or data, or they do not fit each other, or an override is wrong.
        CoviewError: If the weights or the data cannot be had, or no evaluator can measure on the data.
    """
    registry = registry or load_plugins()
    recipe = encoder_recipe(encoder, data, registry, overrides=overrides, sets=sets)
    return run(recipe, out, registry=registry, quiet=quiet)


def encoder_recipe(
    encoder: str,
    data: str,
    registry: Registry,
    *,
    overrides: Mapping[str, Any] | None = None,
    sets: Iterable[str] = (),
) -> Recipe:
    """The recipe of no steps that :func:`evaluate_encoder` runs.

    Raises:
        RecipeError: If it is none.
    """
    fitting = _modalities(encoder, data, registry)
    table = {
        "schema": 1,
        "name": _name(encoder, data),
        "data": {"use": data, "views": {fitting[0]: 1} if len(fitting) == 1 else 1},
        "encoder": {"use": encoder},
        "projector": {"use": "identity"},
        "train": {"steps": 0},
        "evaluate": [{"use": "knn"}, {"use": "linear_probe"}],
    }
    layers = layers_of(table, sets=sets, overrides=overrides)
    given = layers.table["encoder"]
    if isinstance(given, dict) and not {"pretrained", "checkpoint"} & set(given) and len(fitting) == 1:
        with suppress(CoviewError):  # checking the recipe says what is wrong
            parameters = registry.parameters("encoder", encoder, modality=fitting[0]).parameters
            if any(parameter.name == "pretrained" for parameter in parameters):
                layers.add_override({"encoder": {"pretrained": True}}, "")
    return validate(layers, registry)


def _modalities(encoder: str, data: str, registry: Registry) -> list[str]:
    """The modalities of the data that the encoder is for; none where either is not known."""
    try:
        modalities = modalities_of(registry.resolve("dataset", data).factory())
    except CoviewError:
        return []
    fitting = []
    for modality in modalities:
        try:
            registry.resolve("encoder", encoder, modality=modality)
        except CoviewError:
            continue
        fitting.append(modality)
    return fitting


def _name(encoder: str, data: str) -> str:
    """The run's name: ``timm-resnet18-digits``; of a folder only its own name."""
    family, _, name = encoder.partition(":")
    if name and Path(name).is_dir():
        name = Path(name).resolve().name
    words = (re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._") for text in (family, name, data))
    return "-".join(filter(None, words))[:_LONGEST_NAME] or "encoder"
