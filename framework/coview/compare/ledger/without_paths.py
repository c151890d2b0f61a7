"""Values without the paths of a machine: a ledger is shared, and where its runs' files lay is nobody's business."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

LEFT_OUT = "…/"
"""What stands for all that a path has before its last part."""

_WHOLE = re.compile(
    r"(?P<before>(?:[A-Za-z_][\w.-]+:)?)(?P<path>(?:file:(?://)?)?(?:/(?!/)|~|[A-Za-z]:[\\/]|\\\\)[^\n]*)"
)
"""A value that is a path, or the name of a family and a path, as in ``hf:/models/mine``; no URL."""

_WITHIN = re.compile(
    r"""(?<![\w./~])(?:(?:file:(?://)?)?~?/(?!/)[^\s/'"<>|:;,()\[\]{}]+(?:/[^\s/'"<>|:;,()\[\]{}]+)+"""  # /home/me/runs
    r"""|(?:[A-Za-z]:|\\)\\[^\s\\'"<>|:;,()\[\]{}]+(?:\\[^\s\\'"<>|:;,()\[\]{}]+)*)/?"""  # C:\\Users\\me
)
"""A path in a sentence: of two parts or more, so that a lone slash is none."""


def shortened(path: str) -> str:
    """A path, relative or whole, or the name of a family and a path, as only its last part."""
    family, colon, rest = path.partition(":")
    return f"{family}:{_short(rest, False)}" if colon and len(family) > 1 else _short(path, False)


def is_shortened(value: object) -> bool:
    """Whether a value was a path that has been shortened."""
    return isinstance(value, str) and LEFT_OUT in value


def without_paths(value: Any, *, told_apart: bool = False) -> Any:
    """The same JSON value, with each whole path in it shortened to its last part.

    Relative paths stay: they say nothing of a machine.

    Args:
        value: Any JSON value; keys of objects are looked at as well.
        told_apart: Whether two paths that end alike have to stay different: a digest of the whole path follows.
    """
    if isinstance(value, str):
        if whole := _WHOLE.fullmatch(value):
            return whole["before"] + _short(whole["path"], told_apart)
        return _WITHIN.sub(lambda found: _short(found[0], told_apart), value)
    if isinstance(value, Mapping):
        return {
            without_paths(key, told_apart=told_apart): without_paths(item, told_apart=told_apart)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_paths(item, told_apart=told_apart) for item in value]
    return value


def _short(path: str, told_apart: bool) -> str:
    kind = PureWindowsPath if "\\" in path else PurePosixPath
    last = "" if path.startswith("~") and len(kind(path).parts) == 1 else kind(path).name  # ~me is a name of somebody
    digest = f"#{hashlib.sha256(path.encode(errors='surrogateescape')).hexdigest()[:8]}" if told_apart else ""
    return f"{LEFT_OUT}{last}{digest}"
