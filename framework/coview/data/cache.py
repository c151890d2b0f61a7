"""Where fetched data is kept."""

from __future__ import annotations

import os
from pathlib import Path

from coview.plugins.home import expanded, user_cache


def data_folder(name: str = "") -> Path:
    """``$COVIEW_DATA/name``, or ``coview/data/name`` in the user's cache folder; it need not be there.

    Raises:
        CoviewError: If there is no such variable and no home folder.
    """
    if given := os.environ.get("COVIEW_DATA"):
        return expanded(given) / name
    return user_cache() / "coview" / "data" / name
