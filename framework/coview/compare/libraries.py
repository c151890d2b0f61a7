"""The libraries that only a comparison needs."""

from __future__ import annotations

import importlib
from types import ModuleType

from coview.errors import CoviewError


def require(name: str) -> ModuleType:
    """Imports a library of the ``compare`` extra.

    Raises:
        CoviewError: If it is not installed; the hint brings it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise CoviewError(
            f"a comparison's report needs {error.name}, which is not installed", hint="pip install 'coview[compare]'"
        ) from error
