"""Resources: files that have to be fetched once."""

from __future__ import annotations

from pathlib import Path

from coview.data import resources
from coview.plugins.discovery import load_plugins
from coview.plugins.registry import Registry


def fetch_resource(name: str, *, again: bool = False, registry: Registry | None = None) -> Path:
    """Fetches a resource that is neither there yet nor installed with the system, as ``coview data fetch`` does.

    Args:
        name: As registered.
        again: Whether one that is there is replaced.
        registry: Where it is registered; all installed plugins by default.

    Returns:
        Its folder.

    Raises:
        CoviewError: If there is none of that name, it cannot be fetched, or the cache cannot be written.
    """
    return resources.fetch_resource(name, registry or load_plugins(), again=again)
