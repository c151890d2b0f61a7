"""pluggy's manager with coview's hook specifications: what calls the lifecycle hooks of the loaded plugins."""

from __future__ import annotations

import pluggy

from coview.plugins.hookspecs import PROJECT, Hooks


def new_manager() -> pluggy.PluginManager:
    """A manager that has no plugins yet; without plugins its hooks call nothing."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    return manager
