"""Finding and loading plugins: entry points sorted, each staged and committed whole, a broken one only a row.

``load_plugins`` never fails for a plugin's sake. What was found, and why a plugin is not usable, is in
``registry.plugins``; only a recipe that needs a broken plugin fails.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Literal

import pluggy

from coview.errors import CoviewError
from coview.plugins.component import in_one_line
from coview.plugins.hookspecs import API, PROJECT, Hooks, new_manager
from coview.plugins.nearest import did_you_mean
from coview.plugins.registry import Registry

State = Literal["ok", "disabled", "broken", "incompatible"]

_OWN_DISTRIBUTION = "coview"
_PLUGIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_HOOKS = tuple(name for name in vars(Hooks) if name.startswith("coview_"))
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

    Raises:
        CoviewError: If a name in ``disable`` is of no installed plugin.
    """
    points = _entry_points()
    given = set(disable)
    _refuse_unknown(given, points)
    disabled = given | {name.strip() for name in os.environ.get("COVIEW_DISABLE_PLUGINS", "").split(",")} - {""}
    own_only = os.environ.get("COVIEW_PLUGIN_AUTOLOAD", "1") == "0"
    registry = Registry()
    statuses: list[PluginStatus] = []
    for point in points:
        distribution = _distribution(point)
        taken = next((s for s in statuses if s.name == point.name and s.status != "disabled"), None)
        if point.name in disabled or distribution in disabled:
            statuses.append(_status(point, "disabled", "by --no-plugin or COVIEW_DISABLE_PLUGINS"))
        elif own_only and distribution != _OWN_DISTRIBUTION:
            statuses.append(_status(point, "disabled", "by COVIEW_PLUGIN_AUTOLOAD=0"))
        elif taken is not None:
            reason = (
                f"the name is taken by {taken.distribution} {taken.version}; "
                f"--no-plugin {taken.distribution} leaves that one out"
            )
            statuses.append(_status(point, "broken", reason))
        elif not _PLUGIN_NAME.fullmatch(point.name):
            reason = f"the entry point's name {point.name!r} has to be letters, digits, '_', '-' and '.'"
            statuses.append(_status(point, "broken", reason))
        else:
            statuses.append(_load(point, registry))
    registry.plugins = tuple(statuses)
    return registry


def _refuse_unknown(disable: set[str], points: Iterable[EntryPoint]) -> None:
    known = {name for point in points for name in (point.name, _distribution(point))}
    for name in sorted(disable - known):
        raise CoviewError(
            f"there is no plugin {name!r} to leave out{did_you_mean(name, known)}",
            hint="coview plugins list shows those that are installed",
        )


def _entry_points() -> list[EntryPoint]:
    """Sorted by distribution (coview's own first) and name; a package found twice on the path counts once."""
    unique = {(_distribution(p), p.name, p.value): p for p in entry_points(group=PROJECT)}
    return [unique[key] for key in sorted(unique, key=lambda key: (key[0] != _OWN_DISTRIBUTION, key))]


def _distribution(point: EntryPoint) -> str:
    return (point.dist.name or "") if point.dist else ""


def _load(point: EntryPoint, registry: Registry) -> PluginStatus:
    before = set(sys.modules)
    try:
        # standard output is for what coview prints: a plugin that prints would spoil --json
        with contextlib.redirect_stdout(sys.stderr):
            module = point.load()
            api = getattr(module, "coview_api", API)
            if not isinstance(api, int) or api > API:
                reason = f"it was written for interface {api}, this coview has {API}: update coview"
                return _status(point, "incompatible", reason)
            staging = Registry(plugin=point.name)
            _register(module, point.name, staging)
        registry.manager.register(module, name=point.name)
    except (Exception, SystemExit) as error:
        return _status(point, "broken", in_one_line(error), trace=traceback.format_exc())
    registry.components.extend(staging.components)
    warnings = [
        f"importing {point.value} imports {name}: name targets as strings and import {name} where it is used"
        for name in _HEAVY
        if name in sys.modules and name not in before
    ]
    warnings += [f"{name} lacks @coview.hookimpl, and is not called" for name in _unmarked(module)]
    if not staging.components and not _implemented(new_manager(), module):
        warnings.append("it registers no component and has no hook")
    return _status(point, "ok", warnings=tuple(warnings), components=len(staging.components))


def _register(module: ModuleType, name: str, staging: Registry) -> None:
    """Runs one plugin's registration by itself, so that nothing of it is seen unless all of it succeeds."""
    manager = new_manager()
    for hook in _implemented(manager, module):
        if hook not in _HOOKS:
            raise TypeError(f"unknown hook {hook}{did_you_mean(hook, _HOOKS)}")
    manager.register(module, name=name)
    manager.check_pending()
    manager.hook.coview_register(registry=staging)


def _implemented(manager: pluggy.PluginManager, module: ModuleType) -> list[str]:
    """The hooks that a plugin implements, by the names of the hooks."""
    options = {name: manager.parse_hookimpl_opts(module, name) for name in dir(module)}
    return [given.get("specname") or name for name, given in options.items() if given is not None]


def _unmarked(module: ModuleType) -> list[str]:
    """Functions that are named like a hook and are none."""
    manager = new_manager()
    return [
        name
        for name in _HOOKS
        if callable(getattr(module, name, None)) and manager.parse_hookimpl_opts(module, name) is None
    ]


def _status(
    point: EntryPoint,
    state: State,
    reason: str = "",
    *,
    warnings: tuple[str, ...] = (),
    components: int = 0,
    trace: str = "",
) -> PluginStatus:
    return PluginStatus(
        name=point.name,
        distribution=_distribution(point),
        version=point.dist.version if point.dist else "",
        module=point.value,
        status=state,
        reason=reason,
        warnings=warnings,
        components=components,
        traceback=trace,
    )
