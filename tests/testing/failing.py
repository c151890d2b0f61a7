"""Which checks of the kit fail, of all that there are."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from coview.testing import ConformanceError


def failures(check: Callable[..., None], *arguments: Any, **options: Any) -> tuple[set[str], str]:
    """The names of the checks that fail, without those that are not run since another one fails, and the message."""
    with pytest.raises(ConformanceError) as caught:
        check(*arguments, **options)
    text = str(caught.value)
    named = re.findall(r"^  (\w+): (.*)", text, re.MULTILINE)
    return {name for name, problem in named if not problem.startswith("not checked, since ")}, text
