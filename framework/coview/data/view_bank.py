"""Views that several runs need alike, made once: batch by batch in a folder, within a bound."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coview.data.atomic import replacing
from coview.errors import CoviewError

_OFF = "off.txt"
_SCANS = 50
"""A process looks again at how full the bank is when it has written the bound's fiftieth."""


@dataclass
class ViewBank:
    """The batches of one stream of views, of which each is made by whoever needs it first.

    Loader processes of several runs read and write it at a time: a batch is a file, which is there whole or not at
    all. It is for the time that its folder's maker is at work, who removes it: nothing of it is believed later.

    Attributes:
        folder: Of the stream, in the folder of the bank. Streams that differ in anything have different folders.
        most_bytes: Of all streams of the bank together.
    """

    folder: Path
    most_bytes: int
    _written: int = field(default=0, init=False)
    _counted: bool = field(default=False, init=False)

    def get(self, keys: Sequence[Any]) -> list[Any] | None:
        """The batch of some keys as it was put; None if nobody has."""
        try:
            found: list[Any] = pickle.loads(self._path(keys).read_bytes())
        except OSError:
            return None
        return found

    def put(self, keys: Sequence[Any], batch: Sequence[Any]) -> None:
        """Keeps the batch, unless the bank is full. A disk that takes no more, or a batch that cannot be written, ends
        the bank and not the run: :func:`why_off` says why."""
        if why_off(self.folder.parent):
            return
        try:
            written = pickle.dumps(list(batch), protocol=pickle.HIGHEST_PROTOCOL)
            if self._is_full(len(written)):
                self._end(f"it holds the {self.most_bytes / 2**30:g} GB that it may")
                return
            self.folder.mkdir(exist_ok=True)
            with replacing(self._path(keys), durable=False) as beside:
                beside.write_bytes(written)
        except FileNotFoundError:  # it was removed by its maker, who has gone
            return
        except (OSError, CoviewError, pickle.PicklingError, TypeError, AttributeError) as error:
            self._end(str(error) or type(error).__name__)

    def _path(self, keys: Sequence[Any]) -> Path:
        return self.folder / f"{hashlib.blake2b(repr(list(keys)).encode(), digest_size=16).hexdigest()}.pickle"

    def _is_full(self, more: int) -> bool:
        self._written += more
        if self._counted and self._written < self.most_bytes / _SCANS:
            return False
        self._written, self._counted = 0, True
        return bytes_below(self.folder.parent) + more > self.most_bytes

    def _end(self, reason: str) -> None:
        with suppress(OSError):
            (self.folder.parent / _OFF).write_text(reason, encoding="utf-8")


def put_on(bank: Path) -> None:
    """Has a bank take batches again, for instance after a stream of it was removed."""
    (bank / _OFF).unlink(missing_ok=True)


def why_off(bank: Path) -> str:
    """Why nothing more is put into a bank; empty while it takes more.

    Args:
        bank: The folder of all its streams.
    """
    try:
        return (bank / _OFF).read_text(encoding="utf-8") or "its disk is full"
    except OSError:
        return ""


def bytes_below(folder: Path) -> int:
    """What the files of a folder take."""
    found = 0
    for path in folder.rglob("*.pickle"):
        with suppress(OSError):  # it was removed meanwhile
            found += path.stat().st_size
    return found
