"""Whether a call looks at files, at the network or at other programs: then what it says can change by itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import FrameType
from typing import Any

_EVENTS = frozenset({"open", "os.listdir", "os.scandir", "socket.connect", "sqlite3.connect", "subprocess.Popen"})
_CODE = (".py", ".pyc", ".so", ".pyd")


@dataclass
class Looked:
    """What a call has done.

    Attributes:
        outside: Whether it has looked at more than the code that it imports.
    """

    outside: bool = False


_watching: list[Looked] = []


@contextmanager
def watched() -> Iterator[Looked]:
    """Within it, what is looked at is noted, as far as Python tells of it (``sys.audit``): that a file is there can be
    asked without a word."""
    _install()
    looked = Looked()
    _watching.append(looked)
    try:
        yield looked
    finally:
        _watching.remove(looked)


@cache
def _install() -> None:
    sys.addaudithook(_note)


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching or event not in _EVENTS:
        return
    frame = sys._getframe().f_back  # none in a thread that Python has not started
    if frame is not None and _is_import(event, arguments, frame):
        return
    for looked in _watching:
        looked.outside = True


def _is_import(event: str, arguments: tuple[Any, ...], frame: FrameType) -> bool:
    """Whether it is Python's import system that looks, or somebody at a file of code, as a warning does."""
    if event == "open" and isinstance(arguments[0], str) and arguments[0].endswith(_CODE):
        return True
    return frame.f_code.co_filename.startswith("<frozen importlib")
