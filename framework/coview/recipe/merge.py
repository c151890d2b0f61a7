"""The merge rule, and where each value of a merged recipe came from.

Tables merge deeply, arrays replace, and a table whose ``use`` changes is replaced whole: the parameters of one
component mean nothing to another. A table's settings that are not its component's (``data.views``) stay. Of keys
that say the same in two ways (``train.epochs``, ``train.steps``), the one given last replaces the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from coview.errors import Mistake
from coview.recipe.read import Document, Key

DEFAULT_USE: Mapping[str, str] = {"projector": "mlp", "predictor": "mlp"}
"""What ``use`` is in a table that does not say."""

OWN_SETTINGS: Mapping[str, tuple[str, ...]] = {"data": ("views", "local_views", "workers"), "loss": ("weight",)}
"""Keys that belong to the table and not to the component that it uses."""

ALTERNATIVES: Mapping[Key, tuple[str, ...]] = {("train",): ("epochs", "steps")}
"""Keys of which a table has one: a layer that gives one of them takes the others of earlier layers away."""


@dataclass
class Layers:
    """A recipe with its parents and overrides merged in.

    Attributes:
        table: The merged table.
        origins: Where each key was last written, as ``file:line`` or ``--set``.
        about: What the recipe is, from its first comment.
        mistakes: What could not be merged.
    """

    table: dict[str, Any] = field(default_factory=dict)
    origins: dict[Key, str] = field(default_factory=dict)
    about: str = ""
    mistakes: list[Mistake] = field(default_factory=list)

    def where(self, path: Key) -> str:
        """Where ``path`` was written, or the nearest table around it; empty if nothing is known."""
        for length in range(len(path), 0, -1):
            if (origin := self.origins.get(path[:length])) is not None:
                return origin
        return self.origins.get((), "")

    def add_document(self, document: Document) -> None:
        """Merges a file over what is there."""
        self.origins[()] = str(document.path)
        self.about = document.about or self.about
        table = {key: value for key, value in document.table.items() if key != "extends"}
        self._merge(self.table, table, (), lambda path: f"{document.path}:{_nearest(document.lines, path)}")

    def add_override(self, table: Mapping[str, Any], origin: str) -> None:
        """Merges overrides over what is there; a key that is a number reaches into an array."""
        self._merge(self.table, table, (), lambda path: origin)

    def _merge(self, into: dict[str, Any], table: Mapping[str, Any], base: Key, origin: Any) -> None:
        for key, value in table.items():
            path = (*base, key)
            old = into.get(key)
            if (
                isinstance(value, Mapping)
                and isinstance(old, list)
                and value
                and all(isinstance(key, str) and key.isdecimal() for key in value)
            ):
                self._into_array(old, value, path, origin)
            elif isinstance(value, Mapping) and isinstance(old, dict):
                if _changes_use(old, value, path):
                    kept = {name: old[name] for name in OWN_SETTINGS.get(key, ()) if name in old}
                    self._forget(path, except_for=kept)
                    into[key] = old = kept
                for name in _superseded(value, path):
                    if old.pop(name, None) is not None:
                        self._forget((*path, name))
                self.origins[path] = origin(path)
                self._merge(old, value, path, origin)
            else:
                self._forget(path)
                into[key] = _copy(value)
                for inner in _paths(value, path):
                    self.origins[inner] = origin(inner)

    def _into_array(self, array: list[Any], value: Mapping[str, Any], path: Key, origin: Any) -> None:
        for digits, item in value.items():
            index = int(digits) if len(digits) < 10 else len(array)
            if index >= len(array):
                message = f"there is no element {digits}: it has {len(array)}"
                self.mistakes.append(Mistake(origin(path), dotted(path), message))
                continue
            holder = {"": array[index]}
            self._merge_element(holder, item, (*path, index), origin)
            array[index] = holder[""]

    def _merge_element(self, holder: dict[str, Any], item: Any, path: Key, origin: Any) -> None:
        old = holder[""]
        if isinstance(item, Mapping) and isinstance(old, dict) and not _changes_use(old, item, path):
            self._merge(old, item, path, origin)
        else:
            self._forget(path)
            holder[""] = _copy(item)
            for inner in _paths(item, path):
                self.origins[inner] = origin(inner)

    def _forget(self, path: Key, except_for: Iterable[str] = ()) -> None:
        kept = {(*path, name) for name in except_for}
        for known in [k for k in self.origins if k[: len(path)] == path and k[: len(path) + 1] not in kept]:
            del self.origins[known]


def dotted(path: Key) -> str:
    """The path as people write it: ``evaluate.0.k``."""
    return ".".join(map(str, path))


def _changes_use(old: Mapping[str, Any], new: Mapping[str, Any], path: Key) -> bool:
    if "use" not in new:
        return False
    default = DEFAULT_USE.get(str(path[0]))
    return bool(old) and old.get("use", default) != new["use"]


def _superseded(new: Mapping[str, Any], path: Key) -> Iterator[str]:
    names = ALTERNATIVES.get(path, ())
    if any(name in new for name in names):
        yield from (name for name in names if name not in new)


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_copy(item) for item in value]
    return value


def _paths(value: Any, path: Key) -> Iterator[Key]:
    yield path
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    for key, item in items:
        yield from _paths(item, (*path, key))


def _nearest(lines: Mapping[Key, int], path: Key) -> int:
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return 1
