"""Calling a function in other interpreters, whose texts hash otherwise: as in the process that goes on with a run.

``hash()`` of a text, and with it the order of a set of texts, differs from process to process (PYTHONHASHSEED). A set
of two has the same order in every second one: by five of them it is found out in 31 of 32 cases. They serve all calls
of a process: they are started by the first, and end with it.
"""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeVar

from coview.data.garbage import look_for_garbage_seldom

_T = TypeVar("_T")

OTHERS = 5
"""Interpreters besides this one. Each imports what the functions that it calls need, once: torch takes seconds."""


@dataclass(frozen=True)
class Failed:
    """What was raised there.

    Attributes:
        reason: The last line of the traceback.
        traceback: All of it.
    """

    reason: str
    traceback: str


@dataclass(frozen=True)
class Itself:
    """A factory of the one that there is: what no factory can be pickled of travels by it.

    Attributes:
        made: What it gives.
    """

    made: Any

    def __call__(self) -> Any:
        """Gives it."""
        return self.made


def call_elsewhere(function: Callable[..., Any], *arguments: Any) -> tuple[Any, ...]:
    """What the function returns in each of the other interpreters, or how it failed there (:class:`Failed`).

    The environment, the folder and the import path are this one's. Function and arguments travel by pickle.

    Raises:
        Exception: Whatever pickling them raises.
    """
    surroundings = dict(os.environ), os.getcwd(), list(sys.path)
    request = pickle.dumps((surroundings, pickle.dumps((function, arguments))))
    servers = _servers(os.getpid())
    asked = [_ask(server, request) for server in servers]  # all of them, so that they work at the same time
    answers = tuple(_answer_of(server) if was_asked else None for server, was_asked in zip(servers, asked, strict=True))
    if all(answers):
        return tuple(pickle.loads(answer) for answer in answers if answer)
    for at, answer in enumerate(answers):
        if not answer:  # it has been killed: the next call has another one
            servers[at].kill()
            servers[at].wait()
            servers[at] = _start(_seeds()[at])
    return tuple(pickle.loads(answer) if answer else Failed("the interpreter ended", "") for answer in answers)


def _ask(server: subprocess.Popen[bytes], request: bytes) -> bool:
    try:
        _send(server.stdin, request)
    except OSError:
        return False
    return True


def _answer_of(server: subprocess.Popen[bytes]) -> bytes | None:
    try:
        return _receive(server.stdout)
    except (OSError, EOFError):
        return None


@cache
def _servers(process: int) -> list[subprocess.Popen[bytes]]:
    """Some for each process: a forked one must not share the pipes."""
    return [_start(seed) for seed in _seeds()]


def _seeds() -> list[str]:
    """What they hash texts by."""
    return [str(seed) for seed in range(1, OTHERS + 2) if str(seed) != os.environ.get("PYTHONHASHSEED")][:OTHERS]


def _start(seed: str) -> subprocess.Popen[bytes]:
    code = f"import sys; sys.path[:] = {sys.path!r}; from coview.testing.other_interpreter import serve; serve()"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONHASHSEED": seed},
    )


def serve() -> None:
    """Answers calls until there are no more."""
    look_for_garbage_seldom()
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


def _send(stream: Any, message: bytes) -> None:
    stream.write(len(message).to_bytes(8, "little") + message)
    stream.flush()


def _receive(stream: Any) -> bytes:
    return _exactly(stream, int.from_bytes(_exactly(stream, 8), "little"))


def _exactly(stream: Any, count: int) -> bytes:
    found: bytes = stream.read(count)
    if len(found) < count:
        raise EOFError
    return found


def travelling(tested: _T, made: Any, given: Sequence[Any]) -> _T | None:
    """What is tested, as it can go to another interpreter: by its factory where that can be pickled, else as it is.

    Args:
        tested: A dataclass with a ``factory`` and its ``parameters``.
        made: What the factory has made. It is copied, and does not change with the one that stays.
        given: What it is tried on.

    Returns:
        None for what cannot be there: it is defined in ``__main__``, or cannot be pickled at all.
    """
    if type(made).__module__ == "__main__":
        return None
    if is_pickled([tested]):
        return tested
    if not is_pickled([made, *given]):
        return None
    itself: Any = tested
    return replace(itself, factory=Itself(copy.deepcopy(made)), parameters={})  # type: ignore[no-any-return]


def is_pickled(values: Sequence[Any]) -> bool:
    """Whether all of them can travel."""
    try:
        pickle.dumps(values)
    except Exception:  # whatever a class's own pickling raises
        return False
    return True
