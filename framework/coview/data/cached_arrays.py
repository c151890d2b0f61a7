"""Arrays that were computed once and kept in a file, which may have been damaged since."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import numpy as np


def cached_arrays(path: Path | BytesIO, names: Iterable[str]) -> dict[str, np.ndarray] | None:
    """The arrays of an ``.npz`` file, to be made again where there is None.

    Args:
        path: The file, as :func:`numpy.savez` writes it, or opened.
        names: The arrays that it has to have.

    Returns:
        Name to array; None if the file is not there, is damaged, or lacks one of them. Nothing in it is unpickled.
    """
    try:
        with np.load(path) as stored:
            return {name: stored[name] for name in names}
    except (OSError, EOFError, ValueError, KeyError, TypeError, MemoryError, zipfile.BadZipFile, zlib.error):
        return None
