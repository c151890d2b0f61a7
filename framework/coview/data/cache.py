"""Where fetched data is kept."""

from __future__ import annotations

import os
from pathlib import Path


def data_folder(name: str = "") -> Path:
    """``$COVIEW_DATA/name``, or ``coview/data/name`` in the user's cache folder; it need not be there."""
    if given := os.environ.get("COVIEW_DATA"):
        return Path(given) / name
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "coview" / "data" / name
