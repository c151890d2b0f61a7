"""What components have answered, kept from one command to the next, so that hearing it again imports nothing.

One file for each environment, in the user's cache folder. It holds for the state of that environment alone
(:mod:`coview.plugins.fingerprint`): whatever is installed, updated or edited, nothing of it is believed any more.
What can change by itself is never kept: an answer for which files were looked at, or what somebody can mend, such as
a package that is missing.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from coview.errors import CoviewError
from coview.plugins.component import Component, UnknownComponentError
from coview.plugins.fingerprint import Fingerprint, Stamp, fingerprint_of, stamp_of
from coview.plugins.home import expanded, user_cache
from coview.plugins.looks_outside import watched
from coview.plugins.plain_values import from_bytes, to_bytes
from coview.plugins.status import PluginStatus

if TYPE_CHECKING:
    from coview.plugins.parameters import Parameters

_T = TypeVar("_T")

_RAISED: Mapping[str, type[Exception]] = {"ValueError": ValueError, "UnknownComponentError": UnknownComponentError}
"""What is raised in place of an answer, and is one: it is about the values or the name, and nothing can mend it."""

_FORMAT = 1
_SUFFIX = ".answers"
_DIGEST = 16

_MOST_FILES = 16
"""Environments of which answers are kept; those that were used last."""

_MOST_BYTES = 16 * 2**20
"""Of one environment. What goes beyond begins anew."""


class Answers:
    """The answers of the components of one environment.

    Args:
        folder: Where they are kept; None: nowhere.
        fingerprint: Of the environment.

    Attributes:
        schemas: The parameters of components, as far as this process has made them.
    """

    def __init__(self, folder: Path | None, fingerprint: Fingerprint) -> None:
        self._file = None if folder is None else folder / f"{fingerprint.name}{_SUFFIX}"
        self._fingerprint = fingerprint
        _, self._kept = _read(self._file, fingerprint.state)
        self._new: dict[str, bytes] = {}
        self._known: dict[str, tuple[str, Any]] = {}
        self.schemas: dict[tuple[Component, str | None], Parameters] = {}

    @classmethod
    def of(cls, components: Iterable[Component], plugins: Iterable[PluginStatus]) -> Answers:
        """Those of the components of the loaded plugins."""
        loaded = [plugin for plugin in plugins if plugin.status == "ok"]
        packages = {component.target for component in components} | {plugin.module for plugin in loaded}
        named = [f"{plugin.name} {plugin.module}" for plugin in loaded]
        return cls(_folder(), fingerprint_of({name.partition(":")[0].partition(".")[0] for name in packages}, named))

    def recall(
        self,
        component: Component,
        argument: str | None,
        question: str,
        given: Mapping[str, Any],
        ask: Callable[[Callable[..., Any]], _T],
    ) -> _T:
        """What a component has answered to a question, or answers now.

        Args:
            component: The component.
            argument: The part after the colon, for a family.
            question: Its name.
            given: What the answer depends on besides, as JSON values.
            ask: Asks the component's target.

        Raises:
            ValueError: If the answer is that the component refuses the values.
            UnknownComponentError: If it is that the family does not know the name.
            Exception: What else asking raises.
        """
        key = self._key(component, argument, question, given)
        if key is None:
            return ask(component.load())
        if key not in self._known and key in self._kept:
            with suppress(Exception):  # what is no answer is asked for again
                how, value = from_bytes(self._kept[key])
                self._known[key] = (str(how), value)
        if key in self._known:
            how, value = self._known[key]
            if how in _RAISED:
                raise _RAISED[how](value)
            return value  # type: ignore[no-any-return]
        target = component.load()
        with watched() as looked:
            try:
                value = ask(target)
            except (ValueError, UnknownComponentError) as error:
                if not looked.outside and type(error) is _RAISED.get(type(error).__name__):
                    self._keep(key, type(error).__name__, str(error))
                raise
        if not looked.outside:
            self._keep(key, "", value)
        return value

    def text(self, name: str) -> str | None:
        """A text that was made of all components, and kept; None if there is none."""
        try:
            return self._kept[name].decode() if name in self._kept else None
        except UnicodeDecodeError:
            return None

    def keep_text(self, name: str, text: str) -> None:
        """Keeps a text that stays as it is while the environment does."""
        self._new[name] = text.encode()

    def save(self) -> None:
        """Keeps what has been asked anew. Where nothing can be written, nothing is kept."""
        if not self._new or self._file is None or not self._fingerprint.settled:
            return
        loaded = self._fingerprint.loaded_elsewhere()
        if loaded is None:
            return
        # what another process has kept meanwhile; what two of them keep at the same moment, one asks for again
        elsewhere, kept = _read(self._file, self._fingerprint.state)
        kept |= self._new
        if sum(map(len, kept.values())) > _MOST_BYTES:
            kept = self._new
        data = to_bytes((_FORMAT, self._fingerprint.state, elsewhere | loaded, kept))
        if data is None:
            return
        with suppress(OSError):
            _write(self._file, hashlib.blake2b(data, digest_size=_DIGEST).digest() + data)

    def _key(self, component: Component, argument: str | None, question: str, given: Mapping[str, Any]) -> str | None:
        """What the answer is kept under; None if it is not."""
        if component.target.partition(":")[0].partition(".")[0] not in self._fingerprint.packages:
            return None
        if argument is not None and _may_be_a_file(argument):
            return None
        try:
            return json.dumps([component.kind, component.target, argument, question, given], sort_keys=True)
        except (TypeError, ValueError):  # no JSON, and so no values of a recipe
            return None

    def _keep(self, key: str, how: str, value: Any) -> None:
        data = to_bytes((how, value))
        if data is not None:
            self._new[key] = data
            self._known[key] = (how, value)


def _folder() -> Path | None:
    """``$COVIEW_CACHE``, or ``coview/answers`` in the user's cache folder; None if there is neither."""
    try:
        return expanded(given) if (given := os.environ.get("COVIEW_CACHE")) else user_cache() / "coview" / "answers"
    except CoviewError:
        return None


def _may_be_a_file(argument: str) -> bool:
    """Whether what a family is asked for is written as a path, or is one here."""
    return argument.startswith((".", "/", "~")) or os.path.lexists(argument)


def _read(file: Path | None, state: str) -> tuple[dict[str, Stamp], dict[str, bytes]]:
    """The files elsewhere that answers rest on, and the answers; none if they are not of this state, or not ours."""
    nothing: tuple[dict[str, Stamp], dict[str, bytes]] = ({}, {})
    if file is None:
        return nothing
    try:
        with file.open("rb") as opened:
            if os.name == "posix" and os.fstat(opened.fileno()).st_uid != os.getuid():
                return nothing
            digest, data = opened.read(_DIGEST), opened.read()
        if hashlib.blake2b(data, digest_size=_DIGEST).digest() != digest:
            return nothing
        version, of_state, elsewhere, kept = from_bytes(data)
    except Exception:  # it is not there, cannot be read, or is something else
        return nothing
    if version != _FORMAT or of_state != state or any(stamp_of(path) != stamp for path, stamp in elsewhere.items()):
        return nothing
    return elsewhere, kept


def _write(file: Path, data: bytes) -> None:
    """Writes beside the file and renames it over the file: whoever reads sees the old one or the new one."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=file.parent, suffix=_SUFFIX)
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(data)
        os.replace(beside, file)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside)
        raise
    found = sorted(file.parent.glob(f"*{_SUFFIX}"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in found[_MOST_FILES:]:
        path.unlink(missing_ok=True)
