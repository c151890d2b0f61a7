"""What the answers of components depend on: which environment this is, and the state of its packages and files.

Two things are told apart. ``name`` says which environment it is: the interpreter, the folders of its path and the
plugins that are loaded. ``state`` changes with whatever is installed, updated or edited in it.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from coview import __version__

Stamp = tuple[int, int, int]
"""Of a file: its size, when its content was changed, and when the file itself was, in nanoseconds."""

_MODULES = (".py", ".pyc", ".so", ".pyd", ".pth", ".zip", ".egg", ".egg-link")
_DISTRIBUTIONS = (".dist-info", ".egg-info")
_SITE = ("site-packages", "dist-packages")
"""Folders whose packages change by installing alone. A folder of sources may have an ``.egg-info`` too."""

_UNSETTLED_NS = 50_000_000
"""A file that was written so shortly before it is looked at may be written again without its times telling."""


@dataclass
class Fingerprint:
    """Of an environment, as it is when :func:`fingerprint_of` is called.

    Attributes:
        name: Which it is.
        state: What it is like.
        packages: The top-level packages whose files are part of it.
        settled: Whether every later change of a file will show.
        covered: Where modules lie that the state speaks of.
        began: When it was made, in nanoseconds.
    """

    name: str
    state: str
    packages: frozenset[str]
    settled: bool
    covered: tuple[str, ...]
    began: int

    def loaded_elsewhere(self) -> dict[str, Stamp] | None:
        """The files of loaded modules that the state does not speak of, such as those of a package that is worked on;
        None if one of them has been changed meanwhile."""
        found: dict[str, Stamp] = {}
        for name, module in list(sys.modules.items()):
            file: Any = vars(module).get("__file__") if module is not None else None
            if not isinstance(file, str) or name == "__main__" or file.startswith(self.covered):
                continue
            stamp = stamp_of(file)
            if stamp is None:
                continue
            if max(stamp[1:]) > self.began - _UNSETTLED_NS:
                return None
            found[file] = stamp
        return found


def stamp_of(file: str) -> Stamp | None:
    """The stamp of a file; None if it is not there."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def fingerprint_of(packages: Iterable[str], plugins: Iterable[str]) -> Fingerprint:
    """The fingerprint of this environment.

    Args:
        packages: The top-level packages of all components; of those that are not from files nothing is said.
        plugins: The plugins that are loaded.
    """
    began = time.time_ns()
    state = _State()
    folders = [folder for folder in dict.fromkeys(map(os.path.abspath, sys.path)) if state.add_path(folder)]
    known = set()
    places = [os.path.dirname(os.__file__) + os.sep, *(f"{folder}{os.sep}" for folder in state.site)]
    for package in sorted({"coview", *packages}):
        found = list(_places(package))
        for place in found:
            state.add_tree(place)
            places.append(place if place.endswith((".py", ".zip")) else place + os.sep)
        if found:
            known.add(package)
    name = _digest([sys.version, sys.implementation.name, sys.prefix, folders, list(plugins)])
    return Fingerprint(
        name,
        _digest([__version__, state.lines]),
        frozenset(known),
        settled=state.newest < began - _UNSETTLED_NS,
        covered=tuple(places),
        began=began,
    )


@dataclass
class _State:
    """What is there, gathered file by file.

    Attributes:
        lines: Each with its stamp.
        newest: When the last of it was changed.
        site: The folders that distributions are installed into.
    """

    lines: list[Any] = field(default_factory=list)
    newest: int = 0
    site: list[str] = field(default_factory=list)

    def add_path(self, folder: str) -> bool:
        """Adds what can be imported from a folder of the path, or from an archive; whether there is anything."""
        if os.path.isfile(folder):
            self._add(folder, os.stat(folder))
            return True
        before = len(self.lines)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            return False
        if folder == os.path.dirname(os.__file__) or os.path.basename(folder) == "lib-dynload":
            return True  # Python's own, which goes with its version
        for entry in entries:
            if entry.name.endswith((*_DISTRIBUTIONS, *_MODULES)):
                self._add(entry.path, entry.stat())
            elif os.path.exists(f"{entry.path}{os.sep}__init__.py"):
                self.lines.append(entry.path)
                if entry.is_symlink():  # to sources that somebody works on
                    self.add_tree(entry.path)
        if os.path.basename(folder) in _SITE:
            self.site.append(folder)
        return len(self.lines) > before

    def add_tree(self, place: str) -> None:
        """Adds a file, or all files below a folder."""
        if os.path.isfile(place):
            self._add(place, os.stat(place))
            return
        for entry in _files_below(place, set()):
            self._add(entry.path, entry.stat())

    def _add(self, path: str, found: os.stat_result) -> None:
        self.lines.append((path, found.st_size, found.st_mtime_ns, found.st_ctime_ns))
        self.newest = max(self.newest, found.st_mtime_ns, found.st_ctime_ns)


def _files_below(folder: str, seen: set[str]) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as listing:
        entries = sorted(listing, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name == "__pycache__":
            continue
        if not entry.is_dir():
            if not entry.is_symlink() or os.path.exists(entry.path):
                yield entry
            continue
        if entry.is_symlink():
            real = os.path.realpath(entry.path)
            if real in seen:
                continue
            seen.add(real)
        yield from _files_below(entry.path, seen)


def _places(package: str) -> Iterator[str]:
    """Where the files of a top-level package are: its folders, its one file, or its archive; nothing if it has none."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return
    if spec is None:
        return
    for place in spec.submodule_search_locations or [spec.origin or ""]:
        path = Path(place)
        while path.name and not path.exists():  # within an archive
            path = path.parent
        if path.name:
            yield str(path)


def _digest(parts: Any) -> str:
    return hashlib.blake2b(repr(parts).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
