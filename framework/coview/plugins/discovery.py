"""Finding and loading plugins: entry points sorted, each staged and committed whole, a broken one only a row.

``load_plugins`` never fails for a plugin's sake. What was found, and why a plugin cannot be used, is in
``registry.plugins``; only a recipe that needs a broken plugin fails.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, EntryPoint, distributions
from types import ModuleType

from pluggy import PluginManager

from coview.errors import CoviewError
from coview.plugins.component import Component, in_one_line
from coview.plugins.hookspecs import API, PROJECT, Hooks, new_manager
from coview.plugins.nearest import did_you_mean
from coview.plugins.registrar import Registrar
from coview.plugins.registry import Registry
from coview.plugins.status import PluginStatus, State

_OWN_DISTRIBUTION = "coview"
_PLUGIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_HOOKS = tuple(name for name in vars(Hooks) if name.startswith("coview_"))
_HEAVY = ("torch", "transformers", "timm", "torchvision", "torchaudio", "albumentations", "nlpaug", "audiomentations",
          "tensorflow", "jax", "sklearn", "scipy", "cv2", "matplotlib", "pandas")  # fmt: skip


@dataclass(frozen=True)
class _Found:
    """An entry point of the group ``coview``, or a distribution whose entry points cannot be read.

    Attributes:
        name, value: Of the entry point.
        distribution, version: Of the package that has it.
        point: The entry point; None where it cannot be read.
        fault: Why it cannot be read.
    """

    name: str
    value: str
    distribution: str
    version: str
    point: EntryPoint | None
    fault: str = ""

    def status(self, state: State, reason: str = "", *, trace: str = "") -> PluginStatus:
        """The row of a plugin that is not loaded."""
        return PluginStatus(
            self.name, self.distribution, self.version, self.value, state, reason=reason, traceback=trace
        )


def load_plugins(*, disable: Iterable[str] = ()) -> Registry:
    """Loads every installed plugin and returns the registry of their components.

    ``COVIEW_DISABLE_PLUGINS`` (names separated by commas) disables plugins; ``COVIEW_PLUGIN_AUTOLOAD=0`` loads only
    those of coview's own distribution.

    Args:
        disable: Names of plugins, or of distributions, to leave out.

    Raises:
        CoviewError: If a name in ``disable`` is of no installed plugin.
    """
    found = _find()
    given = tuple(dict.fromkeys(disable))
    _refuse_unknown(given, found)
    disabled = {*given, *(name.strip() for name in os.environ.get("COVIEW_DISABLE_PLUGINS", "").split(","))} - {""}
    own_only = os.environ.get("COVIEW_PLUGIN_AUTOLOAD", "1") == "0"
    components: list[Component] = []
    statuses: list[PluginStatus] = []
    manager = new_manager()
    for each in found:
        reason = _why_not(each, statuses, disabled, own_only=own_only)
        if reason is not None:
            statuses.append(each.status(*reason))
            continue
        status, loaded = _load(each, manager)
        statuses.append(status)
        components += loaded
    return Registry(tuple(components), tuple(statuses), manager, given)


def _refuse_unknown(disable: Iterable[str], found: Iterable[_Found]) -> None:
    known = {name for each in found for name in (each.name, each.distribution)}
    for name in sorted(set(disable) - known):
        raise CoviewError(
            f"there is no plugin {name!r} to leave out{did_you_mean(name, known)}",
            hint="coview plugins list shows those that are installed",
        )


def _why_not(
    each: _Found, before: Sequence[PluginStatus], disabled: set[str], *, own_only: bool
) -> tuple[State, str] | None:
    """Why a plugin is not even imported; None if it is."""
    if each.name in disabled or each.distribution in disabled:
        return "disabled", "by --no-plugin or COVIEW_DISABLE_PLUGINS"
    if own_only and each.distribution != _OWN_DISTRIBUTION:
        return "disabled", "by COVIEW_PLUGIN_AUTOLOAD=0"
    if each.fault:
        return "broken", each.fault
    taken = next((s for s in before if s.name == each.name and s.status != "disabled"), None)
    if taken is not None:
        return "broken", (
            f"the name is taken by {taken.distribution} {taken.version}; "
            f"--no-plugin {taken.distribution} leaves that one out"
        )
    if not _PLUGIN_NAME.fullmatch(each.name):
        return "broken", f"the entry point's name {each.name!r} has to be letters, digits, '_', '-' and '.'"
    return None


def _find() -> list[_Found]:
    """Sorted by distribution (coview's own first) and name; a package found twice on the path counts once."""
    found: dict[tuple[str, str, str], _Found] = {}
    for distribution in distributions():
        try:
            text = distribution.read_text("entry_points.txt") or ""
        except (OSError, ValueError):  # it cannot be read, or is not UTF-8: whose it is cannot be said either
            continue
        if f"[{PROJECT}]" in "".join(text.split()):
            for each in _of(distribution):
                found.setdefault((each.distribution, each.name, each.value), each)
    return [found[key] for key in sorted(found, key=lambda key: (key[0] != _OWN_DISTRIBUTION, key))]


def _of(distribution: Distribution) -> list[_Found]:
    """A distribution's entry points of the group. What it says of itself may be broken too."""
    try:
        said = distribution.metadata  # parsed whenever it is asked for
        name, version = said["Name"] or "", said["Version"] or ""
    except Exception:  # no METADATA, or one that cannot be parsed
        name, version = "", ""
    try:
        points = [point for point in distribution.entry_points if point.group == PROJECT]
    except Exception as error:  # whatever the parser makes of a malformed file
        fault = f"its entry_points.txt cannot be read: {in_one_line(error)}"
        return [_Found(name or "?", "", name, version, None, fault)]
    return [_Found(point.name, point.value, name, version, point) for point in points]


def _load(found: _Found, manager: PluginManager) -> tuple[PluginStatus, Sequence[Component]]:
    """A plugin's status and components; the manager knows it, and there are components, only if all of it succeeded."""
    assert found.point is not None
    heavy = [name for name in _HEAVY if name not in sys.modules]
    try:
        # standard output is for what coview prints: a plugin that prints would spoil --json
        with contextlib.redirect_stdout(sys.stderr):
            module = found.point.load()
            api = vars(module).get("coview_api", API)
            if not isinstance(api, int) or api > API:
                reason = f"it was written for interface {api}, this coview has {API}: update coview"
                return found.status("incompatible", reason), ()
            staging = Registrar(found.name)
            hooks = _register(module, staging)
        manager.register(module, name=found.name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin may raise anything: SystemExit, what pytest.skip raises
        return found.status("broken", in_one_line(error), trace=traceback.format_exc()), ()
    warnings = [
        f"importing {found.value} imports {name}: name targets as strings and import {name} where it is used"
        for name in heavy
        if name in sys.modules
    ]
    warnings += [f"{name} lacks @coview.hookimpl, and is not called" for name in _unmarked(module)]
    if not staging.components and not hooks:
        warnings.append("it registers no component and has no hook")
    status = PluginStatus(
        found.name,
        found.distribution,
        found.version,
        found.value,
        "ok",
        warnings=tuple(warnings),
        components=len(staging.components),
        hooks=tuple(hook for hook in hooks if hook != "coview_register"),
    )
    return status, staging.components


def _register(module: ModuleType, staging: Registrar) -> list[str]:
    """Runs one plugin's registration by itself, and returns the hooks that it implements."""
    manager = new_manager()
    hooks = _implemented(module)
    for hook in hooks:
        if hook not in _HOOKS:
            raise TypeError(f"unknown hook {hook}{did_you_mean(hook, _HOOKS)}")
    manager.register(module, name=staging.plugin)
    manager.check_pending()
    manager.hook.coview_register(registry=staging)
    for component in staging.components:
        if not isinstance(component, Component):
            raise TypeError(f"registry.components holds {component!r}: register by the methods of the registry")
    return hooks


def _implemented(module: ModuleType) -> list[str]:
    """The hooks that a plugin implements, by the names of the hooks."""
    options = {name: _marks().parse_hookimpl_opts(module, name) for name in dir(module)}
    return [given.get("specname") or name for name, given in options.items() if given is not None]


def _unmarked(module: ModuleType) -> list[str]:
    """Functions that are named like a hook and are none."""
    return [
        name
        for name in _HOOKS
        if callable(vars(module).get(name)) and _marks().parse_hookimpl_opts(module, name) is None
    ]


@cache
def _marks() -> PluginManager:
    """Only for reading how functions are marked, for which it knows no plugin."""
    return new_manager()
