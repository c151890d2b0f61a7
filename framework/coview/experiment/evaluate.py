"""Measuring without training: a run again, or an encoder that somebody else trained."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from coview.errors import CoviewError
from coview.experiment.changed_data import changed_data
from coview.experiment.evaluators import evaluate_all, plan_evaluators
from coview.experiment.folders import locked
from coview.experiment.pointed import changed_recipe, pointed_to, same_data
from coview.experiment.run import Run, run, run_console
from coview.experiment.session import write_report_or_say_why
from coview.experiment.splits import Splits
from coview.experiment.write_results import write_results
from coview.plugins.hook_calls import HookCalls
from coview.plugins.registry import Registry
from coview.recipe.abilities import modalities_of
from coview.recipe.load import layers_of
from coview.recipe.recipe import Recipe
from coview.recipe.validate import validate

_LONGEST_NAME = 100


def evaluate_run(
    run: Run,
    *,
    overrides: Mapping[str, Any] | None = None,
    sets: Iterable[str] = (),
    quiet: bool = False,
) -> Run:
    """As :func:`coview.evaluate_run`."""
    recipe = changed_recipe(run, ("evaluate", "train.device"), what="an evaluation", sets=sets, overrides=overrides)
    as_started, run = run.recipe, pointed_to(run, recipe)
    console = run_console(quiet)
    splits = Splits(recipe, run.registry)
    store = run.store(splits, console=console)
    planned = plan_evaluators(splits)
    train = splits.training
    if change := changed_data(run.folder, train):
        store.say(f"warning: {change}. The encoder was trained on the data as they were")
    if same := same_data(run.folder, as_started, recipe, train):
        store.say(same)
    with locked(run.folder, store.say):
        write_results(store, planned, evaluate_all(store, planned, HookCalls(run.registry, store.say)))
        if run.step is None:  # the report is of the run's results
            write_report_or_say_why(run.folder, console)
    return run


def evaluate_encoder(
    encoder: str,
    data: str,
    registry: Registry,
    *,
    overrides: Mapping[str, Any] | None = None,
    sets: Iterable[str] = (),
    out: Path | str,
    quiet: bool = False,
) -> Run:
    """As :func:`coview.evaluate_encoder`."""
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
    given_data = layers_of({"data": {"use": data}}, sets=sets, overrides=overrides).table.get("data")
    fitting = _modalities(encoder, given_data if isinstance(given_data, Mapping) else {}, registry)
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


def _modalities(encoder: str, data: Mapping[str, Any], registry: Registry) -> list[str]:
    """The modalities of the data that the encoder is for; none where either is not known."""
    parameters = {name: value for name, value in data.items() if name != "use"}
    try:
        modalities = modalities_of(registry.resolve("dataset", str(data.get("use"))).factory(), parameters)
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
