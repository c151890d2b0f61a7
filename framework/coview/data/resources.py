"""Files that components need and no wheel of coview carries: fetched once, by name, into the cache.

``coview data fetch NAME`` calls what a plugin has registered under that name. It writes into a folder that only
becomes the resource's when all of it has succeeded, so a resource is there as a whole or not at all.
"""

from __future__ import annotations

from pathlib import Path

from coview.data.atomic import is_unsettled, replacing_folder, settle_folder
from coview.data.cache import data_folder
from coview.data.file_lock import file_lock
from coview.errors import CoviewError
from coview.plugins.component import Component
from coview.plugins.discovery import load_plugins
from coview.plugins.registry import Registry


def resource_folder(name: str) -> Path:
    """The folder of a resource: the fetched one, else the one that the system's package manager has installed.

    Raises:
        CoviewError: If it is not there, with the command that fetches it.
    """
    folder = data_folder(name)
    if folder.is_dir():
        return folder
    for resource in load_plugins().of_kind("resource"):
        if resource.name == name and (found := found_resource(resource)) is not None:
            return found
    raise CoviewError(f"{name} is not there: {folder} is missing", hint=f"coview data fetch {name}")


def found_resource(resource: Component) -> Path | None:
    """Where a registered resource is: fetched, or installed with the system, or nowhere."""
    folders = [data_folder(resource.name)] + [Path(resource.installed)] * bool(resource.installed)
    return next((folder for folder in folders if folder.is_dir()), None)


def fetch_resource(name: str, registry: Registry, *, again: bool = False) -> Path:
    """Fetches a resource that is neither there yet nor installed with the system.

    Args:
        name: As registered.
        registry: Where it is registered.
        again: Whether to replace one that is there, or have one's own beside the system's.

    Returns:
        Its folder.

    Raises:
        CoviewError: If there is none of that name, it cannot be fetched, or the cache cannot be written.
    """
    resource = registry.resolve("resource", name).component
    folder = data_folder(resource.name)
    # what lies beside it may be another process's at work: under the lock it is nobody's
    if not again and not is_unsettled(folder) and (found := found_resource(resource)) is not None:
        return found
    fetch = resource.load()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(folder.with_name(f".{folder.name}.lock")):
            settle_folder(folder)
            if not again and (found := found_resource(resource)) is not None:
                return found
            with replacing_folder(folder) as beside:
                fetch(beside)
                if not any(beside.iterdir()):
                    raise CoviewError(f"{name}: nothing was fetched", hint="tell the author of the plugin")
    except OSError as error:
        raise CoviewError(f"{name} cannot be fetched into {folder}: {error.strerror or error}") from error
    return folder
