"""Where the relative paths of a recipe lead: each goes by the folder of the file that it is written in.

One given by ``--set`` or from Python goes by the current folder. The recipe itself, and so its hash, keeps the text.
An address, such as ``s3://bucket/data``, is whole already. Components are built with whole paths, and ``relative_to``
in a resolved recipe says by which folder each of them goes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coview.errors import CoviewError
from coview.plugins.home import expanded
from coview.plugins.parameters import Parameters
from coview.recipe.key import Key, dotted
from coview.recipe.merge import Layers

RELATIVE_TO = "relative_to"
"""The table of a resolved recipe that has, for each key with a relative path, the folder that it goes by."""


def is_address(path: str) -> bool:
    """Whether it is an address, such as ``s3://bucket/data``, and no path on this machine."""
    return "://" in path


class Places:
    """Makes whole paths of relative ones, and remembers by which folders.

    Attributes:
        folders: By key the folder of each relative path that was met.
    """

    def __init__(self, layers: Layers) -> None:
        self._layers = layers
        self.folders: dict[Key, str] = {}

    def use(self, use: str, at: Key) -> str:
        """A component's name. In ``hf:./model`` it is a path; what does not begin with a dot or ``~`` is none."""
        family, colon, name = use.partition(":")
        return f"{family}{colon}{self._whole(name, at)}" if colon and _is_written_as_path(name) else use

    def parameters(self, schema: Parameters, given: Mapping[str, Any], at: Key) -> dict[str, Any]:
        """A component's table with whole paths in it."""
        placed = dict(given)
        for name in schema.paths:
            if name in placed:
                placed[name] = self._each(placed[name], (*at, name), only_written=name in schema.paths_or_names)
        return placed

    def path(self, path: str, at: Key) -> str:
        """A path in one of coview's own tables, whole."""
        return self._whole(path, at)

    def as_table(self, split: str | None) -> dict[str, str]:
        """The folders as the table of a resolved recipe.

        Args:
            split: The modality whose tables (``[encoder.image]``) a resolved recipe has without its name.
        """
        return {dotted(_unsplit(key, split)): folder for key, folder in self.folders.items()}

    def _each(self, value: Any, at: Key, *, only_written: bool) -> Any:
        if isinstance(value, str):
            return value if only_written and not _is_written_as_path(value) else self._whole(value, at)
        if isinstance(value, list):
            return [self._each(item, at, only_written=only_written) for item in value]
        if isinstance(value, dict):
            return {name: self._each(item, at, only_written=only_written) for name, item in value.items()}
        return value

    def _whole(self, path: str, at: Key) -> str:
        if is_address(path):
            return path
        given = expanded(path)
        if given.is_absolute() or not path:
            return str(given)
        folder = _absolute(self._layers.folder(at), path)
        self.folders[at] = folder
        return _real_if_up(Path(folder) / given)


def _absolute(folder: Path, path: str) -> str:
    try:
        return _real_if_up(folder.absolute())
    except FileNotFoundError:
        raise CoviewError(
            f"{path}: this path is relative to the current folder, which does not exist any more",
            hint="give the whole path",
        ) from None


def _real_if_up(path: Path) -> str:
    """The path without ``..``, which after a symbolic link leads elsewhere than the text says."""
    return os.path.realpath(path) if ".." in path.parts else str(path)


def _is_written_as_path(name: str) -> bool:
    """Whether it can be no name of the hub: ``./model``, ``../model``, ``~/model``, or a whole path."""
    return name.startswith((".", "~", "/"))


def _unsplit(key: Key, split: str | None) -> Key:
    return (key[0], *key[2:]) if split is not None and len(key) > 2 and key[1] == split else key
