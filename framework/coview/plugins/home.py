"""The user's home folder, and ``~`` in the paths that people write."""

from __future__ import annotations

import os
from pathlib import Path

from coview.errors import CoviewError


def expanded(path: Path | str) -> Path:
    """A path with ``~`` written out, as a shell does it, which leaves that of ``--out=~/runs`` alone.

    Raises:
        CoviewError: If it begins with ``~``, and there is no such home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:  # a user without an entry and without HOME, as in some containers
        raise CoviewError(
            f"{path}: there is no home folder that ~ could stand for", hint="set HOME, or give the whole path"
        ) from error


def user_cache() -> Path:
    """``$XDG_CACHE_HOME``, or ``.cache`` in the home folder.

    Raises:
        CoviewError: If neither is known.
    """
    if given := os.environ.get("XDG_CACHE_HOME"):
        return expanded(given)
    try:
        return Path.home() / ".cache"
    except RuntimeError as error:
        raise CoviewError(
            "there is no home folder to keep data in",
            hint="set HOME, or COVIEW_DATA and HF_HOME, to folders that can be written",
        ) from error
