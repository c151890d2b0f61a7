"""Finding and loading plugins: entry points sorted, each staged and committed whole, a broken one only a row.

``load_plugins`` never raises for a plugin's sake. What was found, and why a plugin is not usable, is in
``registry.plugins``; only a recipe that needs a broken plugin fails.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Literal

import pluggy

from coview.plugins.hookspecs import API, PROJECT, Hooks
from coview.plugins.nearest import did_you_mean
from coview.plugins.registry import Registry

State = Literal["ok", "disabled", "broken", "incompatible"]

_OWN_DISTRIBUTION = "coview"
_HEAVY = ("torch", "transformers", "timm", "torchvision", "torchaudio", "albumentations", "nlpaug", "audiomentations",
          "tensorflow", "jax", "sklearn", "scipy", "cv2", "matplotlib", "pandas")  # fmt: skip


@dataclass(frozen=True)
class PluginStatus:
    """What became of one plugin.

    Attributes:
        name: The entry point's name, and the plugin's in ``plugin/name``.
        distribution, version: The installed package that brings it.
        module: The entry point's value.
        status: ``ok``, ``disabled``, ``broken`` or ``incompatible``.
        reason: Why it is not ``ok``.
        warnings: What its author should mend.
        components: How many components it registered.
        traceback: Of a broken plugin.
    """

    name: str
    distribution: str
    version: str
    module: str
    status: State
    reason: str = ""
    warnings: tuple[str, ...] = ()
    components: int = 0
    traceback: str = field(default="", repr=False)


def load_plugins(*, disable: Iterable[str] = ()) -> Registry:
    """Loads every installed plugin and returns the registry of their components.

    ``COVIEW_DISABLE_PLUGINS`` (names separated by commas) disables plugins; ``COVIEW_PLUGIN_AUTOLOAD=0`` loads only
    those of coview's own distribution.

    Args:
        disable: Names of plugins, or of distributions, to leave out.
    """
    disabled = {name.strip() for name in os.environ.get("COVIEW_DISABLE_PLUGINS", "").split(",")} | set(disable)
    own_only = os.environ.get("COVIEW_PLUGIN_AUTOLOAD", "1") == "0"
    registry = Registry()
    manager = new_manager()
    statuses: list[PluginStatus] = []
    for point in _entry_points():
        distribution = point.dist.name if point.dist else ""
        if point.name in disabled or distribution in disabled:
            statuses.append(_status(point, "disabled", "by --no-plugin or COVIEW_DISABLE_PLUGINS"))
        elif own_only and distribution != _OWN_DISTRIBUTION:
            statuses.append(_status(point, "disabled", "COVIEW_PLUGIN_AUTOLOAD=0"))
        elif point.name in {status.name for status in statuses}:
            taken = next(status for status in statuses if status.name == point.name)
            statuses.append(_status(point, "broken", f"the name is taken by {taken.distribution} {taken.version}"))
        else:
            statuses.append(_load(point, registry, manager))
    registry.plugins = tuple(statuses)
    registry.manager = manager
    return registry


def new_manager() -> pluggy.PluginManager:
    """A pluggy manager with coview's hook specifications and no plugins."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    return manager


def _entry_points() -> list[EntryPoint]:
    """Sorted by distribution (coview's own first) and name; a package found twice on the path counts once."""
    unique = {(p.dist.name if p.dist else "", p.name, p.value): p for p in entry_points(group=PROJECT)}
    return [unique[key] for key in sorted(unique, key=lambda key: (key[0] != _OWN_DISTRIBUTION, key))]


def _load(point: EntryPoint, registry: Registry, manager: pluggy.PluginManager) -> PluginStatus:
    before = set(sys.modules)
    try:
        module = point.load()
        api = getattr(module, "coview_api", API)
        if not isinstance(api, int) or api > API:
            reason = f"it was written for interface {api}, this coview has {API}: update coview"
            return _status(point, "incompatible", reason)
        staging = Registry(plugin=point.name)
        _register(module, point.name, staging)
        manager.register(module, name=point.name)
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return _status(point, "broken", reason, trace=traceback.format_exc())
    registry.components.extend(staging.components)
    heavy = [name for name in _HEAVY if name in sys.modules and name not in before]
    warnings = tuple(
        f"importing {point.value} imports {name}: name targets as strings and import {name} where it is used"
        for name in heavy
    )
    if not staging.components:
        warnings += ("it registers no component",) if not _lifecycle_hooks(module) else ()
    return _status(point, "ok", warnings=warnings, components=len(staging.components))


def _register(module: ModuleType, name: str, staging: Registry) -> None:
    """Runs one plugin's registration by itself, so that nothing of it is seen unless all of it succeeds."""
    manager = new_manager()
    manager.register(module, name=name)
    known = [hook for hook in dir(Hooks) if hook.startswith("coview_")]
    for hook in _implemented(manager, module):
        if hook not in known:
            raise TypeError(f"unknown hook {hook}{did_you_mean(hook, known)}")
    manager.check_pending()
    manager.hook.coview_register(registry=staging)


def _implemented(manager: pluggy.PluginManager, module: ModuleType) -> list[str]:
    return [name for name in dir(module) if manager.parse_hookimpl_opts(module, name) is not None]


def _lifecycle_hooks(module: ModuleType) -> list[str]:
    return [name for name in _implemented(new_manager(), module) if name != "coview_register"]


def _status(
    point: EntryPoint,
    state: State,
    reason: str = "",
    *,
    warnings: tuple[str, ...] = (),
    components: int = 0,
    trace: str = "",
) -> PluginStatus:
    dist = point.dist
    return PluginStatus(
        name=point.name,
        distribution=dist.name if dist else "",
        version=dist.version if dist else "",
        module=point.value,
        status=state,
        reason=reason,
        warnings=warnings,
        components=components,
        traceback=trace,
    )
