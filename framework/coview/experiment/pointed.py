"""A run whose data lie elsewhere than its recipe says: the same data, found at another place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from coview.data.dataset import Dataset
from coview.errors import CoviewError
from coview.experiment.environment import read_environment
from coview.experiment.run import Run
from coview.recipe.key import dotted
from coview.recipe.load import read_layers
from coview.recipe.recipe import Recipe
from coview.recipe.snapshot import difference
from coview.recipe.validate import validate
from coview.track.run_folder import RunFolder


def changed_recipe(
    run: Run,
    may_change: Sequence[str],
    *,
    what: str,
    sets: Iterable[str] = (),
    overrides: Mapping[str, Any] | None = None,
) -> Recipe:
    """The recipe of a run with overrides of what may be another, and of where the data are.

    Args:
        run: The run.
        may_change: The keys, or beginnings of keys, besides those that say where the data are.
        what: What the overrides are for, such as "an evaluation".
        sets: The overrides, as texts ``KEY=VALUE``.
        overrides: The same from Python.

    Raises:
        CoviewError: If an override is of anything else; the message lists it.
    """
    layers = read_layers(run.folder.recipe, sets=sets, overrides=overrides)
    layers.table.get("train", {}).pop("keep_best", None)  # of evaluators that may be others now; nothing is trained
    recipe = validate(layers, run.registry, run.folder.recipe)
    places = [
        dotted((*at, name))
        for data, at in run.recipe.trains_on
        for name in run.registry.parameters("dataset", data.use).paths
    ]
    allowed = (*may_change, "train.keep_best:", "relative_to.", *(f"{place}:" for place in places))
    changed = [line for line in difference(run.recipe.tables, recipe.tables) if not line.startswith(allowed)]
    if changed:
        listed = "\n    ".join(changed)
        named = [f"[[{key}]]" if key == "evaluate" else key for key in may_change]
        named += [f"where the data are ({', '.join(places)})"] if places else []
        may = " and ".join(filter(None, (", ".join(named[:-1]), *named[-1:]))) or "nothing of this run"
        raise CoviewError(f"{what} can change only {may}, but this changes:\n    {listed}")
    return recipe


def pointed_to(run: Run, recipe: Recipe) -> Run:
    """The run with its data where another recipe says that they are; it stays the run of its own recipe."""
    data = replace(recipe.data, as_written=run.recipe.data.written)
    mixture = tuple(
        replace(table, as_written=before.written)
        for table, before in zip(recipe.mixture, run.recipe.mixture, strict=True)
    )
    return replace(run, recipe=replace(run.recipe, data=data, mixture=mixture))


def same_data(folder: RunFolder, before: Recipe, after: Recipe, dataset: Dataset) -> str:
    """That the data at another place are those that the run was started with, in words; empty if there is nothing to
    say: they were not looked for elsewhere, are others, or the run does not say what they were."""
    elsewhere = [
        f"{dotted((*at, key))} is {place}"
        for (data, at), (was, _) in zip(after.trains_on, before.trains_on, strict=True)
        for key, place in data.parameters.items()
        if place != was.parameters.get(key)
    ]
    recorded = (read_environment(folder.environment) or {}).get("data")
    if not elsewhere or not isinstance(recorded, dict) or recorded.get("version") != dataset.version:
        return ""
    return f"{', '.join(elsewhere)}: the same data as {folder.path} was started with ({dataset.version})"
