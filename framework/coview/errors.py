"""Errors that the user can correct: shown as a message with exit status 2, never as a traceback.

Anything else that is raised is a bug of coview's or of a plugin's, and shows its traceback.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


class CoviewError(Exception):
    """Something the user can mend.

    Args:
        message: What was given, what was expected, and where.
        hint: What to do about it, shown on a line of its own.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n  {self.hint}"


class SampleError(CoviewError):
    """One sample of a data set cannot be read; the loader skips it, names it and counts it.

    Args:
        what: The file or row.
        reason: Why it cannot be read.
    """

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"{what}: {reason}")
        self.what = what
        self.reason = reason

    def __reduce__(self) -> tuple[type[SampleError], tuple[str, str]]:
        return SampleError, (self.what, self.reason)


class UnmeasuredError(CoviewError):
    """A number is asked for that no evaluator of the recipe measures: other runs that ask for it fail as this one."""


class AlteredModelError(CoviewError):
    """What may only look at the model has written into it: no checkpoint may be made of that."""


_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but for tab and new line, those that turn the direction of writing, bytes that are not UTF-8."""


def printable(text: str) -> str:
    """A text that may hold names from anywhere, for a terminal: what would command it is shown by its code."""
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def few(names: Sequence[str]) -> str:
    """The first three names and how many more there are, for a message."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


@dataclass(frozen=True)
class Mistake:
    """One mistake in a recipe.

    Attributes:
        where: ``file:line``, or ``--set`` for an override, or ``overrides`` from Python.
        path: The dotted path in the recipe, such as ``loss.temperature``; empty for the whole file.
        message: What is wrong and what was expected.
    """

    where: str
    path: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.path, self.message) if part)


class RecipeError(CoviewError):
    """All the mistakes of a recipe, found in one pass."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = tuple(mistakes)


class Interrupted(Exception):  # noqa: N818 - an outcome, not an error
    """A run was asked to stop (Ctrl-C, SIGTERM) and has written a checkpoint: exit status 130."""
