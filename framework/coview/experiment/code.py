"""Which code a recipe runs: the recipe's hash does not see that an encoder of a plugin was rewritten."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from coview.errors import few
from coview.experiment.environment import read_environment
from coview.experiment.folders import find_unfinished
from coview.plugins.component import Kind
from coview.plugins.registry import Registry
from coview.plugins.source_hash import source_hash
from coview.recipe.merge import DEFAULT_USE
from coview.recipe.recipe import Recipe
from coview.track.run_folder import RunFolder

_THEN = ", then "


def code_of(recipe: Recipe, registry: Registry) -> dict[str, str]:
    """For each component of a recipe its distribution, version and source hash, as ``environment.json`` keeps it."""
    plugins = {status.name: status for status in registry.plugins}
    found = {}
    for kind, use, modality in _uses(recipe):
        component = registry.resolve(kind, use, modality=modality).component
        status = plugins.get(component.plugin)
        package = f"{status.distribution} {status.version} " if status is not None else ""
        module = status.module if status is not None else component.target
        distribution = status.distribution if status is not None else ""
        packages, below = _packages_of(module, distribution), _edited_in(distribution)
        found[f"{kind} {component.qualified}"] = f"{package}{source_hash(component.target, *packages, below=below)}"
    return dict(sorted(found.items()))


def modules_of(recipe: Recipe, registry: Registry) -> tuple[str, ...]:
    """The modules that a recipe's components are in."""
    components = (registry.resolve(kind, use, modality=modality).component for kind, use, modality in _uses(recipe))
    return tuple(sorted({component.target.partition(":")[0] for component in components}))


@cache
def _packages_of(module: str, distribution: str) -> tuple[str, ...]:
    """The packages that hold a plugin's modules: that of its entry point, and others of its distribution.

    Those of coview's own core are not a plugin's. An editable distribution does not list its files: of it
    :func:`_edited_in` says where they are.
    """
    name = module.partition(":")[0]
    top = name.partition(".")[0]
    if top == "coview":
        return (name,)
    try:
        files = metadata.files(distribution) or []
    except (metadata.PackageNotFoundError, ValueError):
        files = []
    others = {path.parts[0].removesuffix(".py") for path in files if path.suffix == ".py"}
    return (top, *sorted(others - {top, "coview", ".."}))


@cache
def _edited_in(distribution: str) -> Path | None:
    """The folder of sources of a distribution that is installed as editable (PEP 610); None of any other."""
    from urllib.request import url2pathname  # it costs start-up time

    try:
        said = json.loads(metadata.distribution(distribution).read_text("direct_url.json") or "{}")
        url = urlsplit(said["url"])
        return Path(url2pathname(url.path)).resolve() if url.scheme == "file" and said["dir_info"]["editable"] else None
    except (metadata.PackageNotFoundError, ValueError, KeyError, TypeError, OSError):
        return None


def changed_code(folder: RunFolder, recipe: Recipe, registry: Registry) -> list[str]:
    """The components of a run that have changed since it was started, in words: a line for each change.

    Nothing where the run does not say which code it ran, or that of a kind of components, as those of earlier versions
    do not.
    """
    recorded = (read_environment(folder.environment) or {}).get("code")
    if not isinstance(recorded, dict) or not recorded:
        return []
    now = code_of(recipe, registry)
    changes: dict[str, list[str]] = {}
    kinds = {str(name).partition(" ")[0] for name in recorded}
    for name in (name for name in now if name.partition(" ")[0] in kinds):
        if recorded.get(name) != now[name]:
            changes.setdefault(_moved(recorded, now, name), []).append(name)
    return [f"{few(names)}: {change}" for change, names in changes.items()]


def of_both(recorded: object, now: Mapping[str, str]) -> dict[str, str]:
    """The code of a run that goes on with other code than it has: a component that differs is of neither."""
    before = recorded if isinstance(recorded, dict) else {}
    return {
        name: code if before.get(name, code) == code else f"{before[name]}{_THEN}{code}" for name, code in now.items()
    }


def may_go_on(out: Path, recipe: Recipe, registry: Registry) -> bool:
    """Whether the latest run of a recipe below ``out/NAME`` is of the code as it is now."""
    latest = find_unfinished(out, recipe, registry)
    return latest is None or not changed_code(latest, recipe, registry)


def _moved(before: Mapping[str, Any], after: Mapping[str, str], name: str) -> str:
    old, new = str(before.get(name, "another component")), after[name]
    if _THEN in old:
        return "the run has gone on with other code than it was started with"
    versions = old.rpartition(" ")[0], new.rpartition(" ")[0]
    return f"{versions[0]} → {versions[1]}" if versions[0] != versions[1] else "the source has changed"


def _uses(recipe: Recipe) -> Iterator[tuple[Kind, str, str | None]]:
    """Kind, name and modality of every component that a recipe uses."""
    for data, _ in recipe.trains_on:
        yield "dataset", data.use, None
    for name in recipe.modalities:
        yield "modality", name, None
        yield "encoder", recipe.encoder[name].use, name
        yield "projector", recipe.projector[name].use, None
        if name in recipe.predictor:
            yield "predictor", recipe.predictor[name].use, None
        for step in recipe.augment.get(name, ()):
            yield "augmentation", step.use, name
    for term in recipe.loss:
        yield "loss", term.use, None
    if recipe.mask is not None:
        yield "mask", recipe.mask.use, None
    if recipe.decoder is not None:
        yield "decoder", recipe.decoder.use, None
    if recipe.target is not None:
        yield "target", recipe.target.use, None
    if recipe.trains and recipe.optimizer is not None:
        yield "optimizer", recipe.optimizer.use, None
        of_groups = (group.schedule for group in recipe.optimizer.groups if group.schedule is not None)
        for schedule in (recipe.schedule, *of_groups, *recipe.scheduled):
            yield "schedule", schedule.use, None
    if recipe.trains and recipe.sampler.use != DEFAULT_USE["sampler"]:
        yield "sampler", recipe.sampler.use, None
    for table in recipe.evaluate:
        yield "evaluator", table.use, None
        if table.data is not None:
            yield "dataset", table.data.use, None
    for callback in recipe.callback:
        if callback.changes_run:
            yield "callback", callback.use, None
