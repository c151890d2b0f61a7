"""The merge rule, and where each value of a merged recipe came from.

Tables merge deeply, arrays replace, and a table whose ``use`` changes is replaced whole: the parameters of one
component mean nothing to another. coview's own settings in it (``data.views``, ``loss.weight``) stay. Of keys that say
the same in two ways (``train.epochs``, ``train.steps``), the one given last replaces the other. Those settings of
``[data]`` that hold for all data sets stay as well where several ``[[data]]`` take its place, or it theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from coview.errors import Mistake
from coview.plugins.own_settings import ValueScheduleSettings, own_keys
from coview.recipe.key import Key, dotted
from coview.recipe.moved_keys import with_keys_moved
from coview.recipe.read import Document
from coview.recipe.tables import KIND_OF_TABLE

DEFAULT_USE: Mapping[str, str] = {
    "projector": "mlp",
    "predictor": "mlp",
    "decoder": "linear",
    "target": "input",
    "schedule": "cosine",
    "sampler": "uniform",
}
"""What ``use`` is in a table that does not say."""

ALTERNATIVES: Mapping[Key, tuple[str, ...]] = {
    ("train",): ("epochs", "steps"),
    ("start",): ("run", "checkpoint", "export"),
}
"""Keys of which a table has one: a layer that gives one of them takes the others of earlier layers away."""


class Origin(NamedTuple):
    """Where a value was written.

    Attributes:
        where: ``file:line``, or ``--set``.
        folder: What a relative path in it goes by: the file's folder, else the current one.
    """

    where: str
    folder: Path = Path()


OF_ALL_DATA = tuple(key for key in own_keys("dataset") if key != "weight")
"""Of several ``[[data]]`` the first has them."""

_OF_THE_FILE = ("extends", "relative_to")
"""Keys that say how the file is read, and are no part of the merged recipe."""


@dataclass
class Layers:
    """A recipe with its parents and overrides merged in.

    Attributes:
        table: The merged table.
        origins: Where each key was last written.
        about: What the recipe is, from its first comment.
        mistakes: What could not be merged.
        moved: Where a key was written that stands elsewhere now, by its former place.
    """

    table: dict[str, Any] = field(default_factory=dict)
    origins: dict[Key, Origin] = field(default_factory=dict)
    about: str = ""
    mistakes: list[Mistake] = field(default_factory=list)
    moved: dict[tuple[str, str], str] = field(default_factory=dict)

    def where(self, path: Key) -> str:
        """Where ``path`` was written, or the nearest table around it; empty if nothing is known."""
        return self._nearest(path).where

    def folder(self, path: Key) -> Path:
        """The folder that a relative path goes by which is written at ``path``."""
        return self._nearest(path).folder

    def _nearest(self, path: Key) -> Origin:
        for length in range(len(path), 0, -1):
            if (origin := self.origins.get(path[:length])) is not None:
                return origin
        return self.origins.get((), Origin(""))

    def add_document(self, document: Document) -> None:
        """Merges a file over what is there."""
        beside = document.path.parent
        self.origins[()] = Origin(str(document.path), beside)
        self.about = document.about or self.about
        given = {key: value for key, value in document.table.items() if key not in _OF_THE_FILE}
        table, former = with_keys_moved(given)
        folders = self._relative_to(document)

        def origin(path: Key) -> Origin:
            where = f"{document.path}:{_nearest(document.lines, former.get(path, path))}"
            return Origin(where, beside / folders.get(dotted(path), ""))

        self.moved |= {before: origin(now).where for now, before in former.items()}
        self._merge(self.table, table, (), origin)

    def add_override(self, table: Mapping[str, Any], where: str, folder: Path = Path()) -> None:
        """Merges overrides over what is there; a key that is a number reaches into an array.

        Args:
            table: The overrides.
            where: Where they were written, for messages.
            folder: What relative paths in them go by; the current one by default.
        """
        now, former = with_keys_moved(table)
        self.moved |= dict.fromkeys(former.values(), where)
        self._merge(self.table, now, (), lambda path: Origin(where, folder))

    def _relative_to(self, document: Document) -> Mapping[str, str]:
        """The folders that paths of a resolved recipe go by, which need not be its own."""
        given = document.table.get("relative_to", {})
        if isinstance(given, dict) and all(isinstance(folder, str) for folder in given.values()):
            return given
        where = f"{document.path}:{_nearest(document.lines, ('relative_to',))}"
        message = 'has to be a table of keys and folders, such as "data.root" = "/home/me/project"'
        self.mistakes.append(Mistake(where, "relative_to", message))
        return {}

    def _merge(self, into: dict[str, Any], table: Mapping[str, Any], base: Key, origin: Any) -> None:
        for key, value in table.items():
            path = (*base, key)
            old = into.get(key)
            if path == ("data",) and isinstance(old, list | dict) and list in (type(old), type(value)):
                into[key] = self._data(old, value, path, origin)
            elif (
                isinstance(value, Mapping)
                and isinstance(old, list)
                and value
                and all(isinstance(key, str) and key.isdecimal() for key in value)
            ):
                self._into_array(old, value, path, origin)
            elif isinstance(value, Mapping) and isinstance(old, dict):
                into[key] = self._merge_table(old, value, path, origin)
            else:
                into[key] = self._replace(value, path, origin)

    def _merge_table(self, old: dict[str, Any], new: Mapping[str, Any], path: Key, origin: Any) -> dict[str, Any]:
        if _changes_use(old, new, path):
            old = {name: old[name] for name in _kept(path, old) if name in old}
            self._forget(path, except_for=old)
        for name in _superseded(new, path):
            if old.pop(name, None) is not None:
                self._forget((*path, name))
        self.origins[path] = origin(path)
        self._merge(old, new, path, origin)
        return old

    def _data(self, old: list[Any] | dict[str, Any], new: Any, path: Key, origin: Any) -> Any:
        """Data sets in place of others, or settings of the first of several."""
        if isinstance(old, list) and isinstance(new, Mapping) and "use" not in new:
            numbers = {key: value for key, value in new.items() if key.isdecimal()}
            self._into_array(old, numbers, path, origin)
            of_all = {key: value for key, value in new.items() if key in OF_ALL_DATA}
            if of_all:
                self._into_array(old, {"0": of_all}, path, origin)
            for key in new.keys() - numbers.keys() - of_all.keys():
                message = f"the recipe has several [[data]]: say which is meant, such as data.0.{key}"
                self.mistakes.append(Mistake(origin((*path, key)).where, dotted((*path, key)), message))
            return old
        first, at = (old[:1], (*path, 0)) if isinstance(old, list) else ([old], path)
        kept = {key: value for key, value in first[0].items() if key in OF_ALL_DATA} if first and first[0] else {}
        origins = {key: self.origins[(*at, key)] for key in kept if (*at, key) in self.origins}
        made = self._replace(new, path, origin)
        into, at = (made[:1], (*path, 0)) if isinstance(made, list) else ([made], path)
        for key in kept if into and isinstance(into[0], dict) else ():
            if key not in into[0]:
                into[0][key] = kept[key]
                self.origins |= {(*at, key): origins[key]} if key in origins else {}
        return made

    def _replace(self, value: Any, path: Key, origin: Any) -> Any:
        self._forget(path)
        for inner in _paths(value, path):
            self.origins[inner] = origin(inner)
        return copied(value)

    def _into_array(self, array: list[Any], value: Mapping[str, Any], path: Key, origin: Any) -> None:
        for digits, item in value.items():
            index = int(digits) if len(digits) < 10 else len(array)
            if index >= len(array):
                message = f"there is no element {digits}: it has {len(array)}"
                self.mistakes.append(Mistake(origin(path).where, dotted(path), message))
                continue
            old, at = array[index], (*path, index)
            both = isinstance(item, Mapping) and isinstance(old, dict)
            array[index] = self._merge_table(old, item, at, origin) if both else self._replace(item, at, origin)

    def _forget(self, path: Key, except_for: Iterable[str] = ()) -> None:
        kept = {(*path, name) for name in except_for}
        first, length = path[0], len(path)
        below = [known for known in self.origins if known and known[0] == first and known[:length] == path]
        for known in below:
            if known[: length + 1] not in kept:
                del self.origins[known]


def _changes_use(old: Mapping[str, Any], new: Mapping[str, Any], path: Key) -> bool:
    """Whether a table is of something else from here on: another component, or, for ``[paper]``, another method."""
    if path[0] == "encoder" and "shared" in (old if "use" in new else new):  # another's encoder in place of one's own
        return bool(old) and ("use" in new) != ("use" in old)
    key = "record" if path == ("paper",) else "use"
    if key not in new:
        return False
    default = DEFAULT_USE.get(str(path[0]))
    return bool(old) and old.get(key, default) != new[key]


def _kept(path: Key, old: Mapping[str, Any]) -> tuple[str, ...]:
    """coview's own keys in the table of a component, which say nothing of the component."""
    *above, last = path
    if path[0] == "encoder":
        return ()  # ``shared`` stands in place of ``use``
    if path[0] == "schedule" and above:  # of another value: [schedule."loss.temperature"]
        return tuple(ValueScheduleSettings.model_fields)
    if path[0] == "schedule":
        return (*own_keys("schedule"), *(key for key in old if "." in key))
    of_component = not above or isinstance(last, int)  # [data], [loss]; an element of [[augment]] or [[augment.image]]
    return own_keys(KIND_OF_TABLE[str(path[0])]) if of_component and path[0] in KIND_OF_TABLE else ()


def _superseded(new: Mapping[str, Any], path: Key) -> Iterator[str]:
    names = ALTERNATIVES.get(path, ())
    if any(name in new for name in names):
        yield from (name for name in names if name not in new)


def copied(value: Any) -> Any:
    """Tables and arrays as new ones, down to the values in them."""
    if isinstance(value, Mapping):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [copied(item) for item in value]
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
