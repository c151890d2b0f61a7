"""Calling a function in another interpreter, whose texts hash otherwise: as in the process that goes on with a run.

``hash()`` of a text, and with it the order of a set of texts, differs from process to process (PYTHONHASHSEED). One
interpreter serves all calls of a process: it is started by the first, and ends with it.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, BinaryIO


@dataclass(frozen=True)
class Failed:
    """What was raised there.

    Attributes:
        reason: The last line of the traceback.
        traceback: All of it.
    """

    reason: str
    traceback: str


def call_elsewhere(function: Callable[..., Any], *arguments: Any) -> Any:
    """What the function returns in another interpreter, or how it failed there.

    The environment, the folder and the import path are this one's. Function and arguments travel by pickle.

    Raises:
        Exception: Whatever pickling them raises.
    """
    surroundings = dict(os.environ), os.getcwd(), list(sys.path)
    request = pickle.dumps((surroundings, pickle.dumps((function, arguments))))
    process = _server(os.getpid())
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        _send(process.stdin, request)
        return pickle.loads(_receive(process.stdout))
    except (OSError, EOFError):  # it has been killed: the next call has a new one
        _server.cache_clear()
        return Failed("the interpreter ended", "")


@cache
def _server(process: int) -> subprocess.Popen[bytes]:
    """One for each process: a forked one must not share the pipes."""
    other = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    code = f"import sys; sys.path[:] = {sys.path!r}; from coview.testing.other_interpreter import serve; serve()"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONHASHSEED": other},
    )


def serve() -> None:
    """Answers calls until there are no more."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a function prints is no answer
    while True:
        try:
            surroundings, call = pickle.loads(_receive(sys.stdin.buffer))
        except EOFError:
            return
        _send(answers, _answer(surroundings, call))


def _answer(surroundings: tuple[dict[str, str], str, list[str]], call: bytes) -> bytes:
    try:
        environment, folder, sys.path[:] = surroundings
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        function, arguments = pickle.loads(call)
        return pickle.dumps(function(*arguments))
    except Exception as error:
        return pickle.dumps(Failed(f"{type(error).__name__}: {error}", traceback.format_exc()))


def _send(stream: BinaryIO | Any, message: bytes) -> None:
    stream.write(len(message).to_bytes(8, "little") + message)
    stream.flush()


def _receive(stream: BinaryIO | Any) -> bytes:
    return _exactly(stream, int.from_bytes(_exactly(stream, 8), "little"))


def _exactly(stream: BinaryIO | Any, count: int) -> bytes:
    found: bytes = stream.read(count)
    if len(found) < count:
        raise EOFError
    return found


def is_pickled(values: Sequence[Any]) -> bool:
    """Whether all of them can travel."""
    try:
        pickle.dumps(values)
    except Exception:  # whatever a class's own pickling raises
        return False
    return True
