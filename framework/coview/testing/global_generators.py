"""The generators that belong to everybody: what a component must neither draw from nor seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from coview.data.same import same
from coview.evaluate.generators_kept import generators_kept
from coview.testing.conformance import Problems


def outcomes_by_global_seed(make: Callable[[], Any], result: str) -> Problems:
    """What is wrong if a result depends on a global generator, or changes one.

    Args:
        make: Makes the result.
        result: What it is called in the message.
    """
    outcomes = []
    for seed in (0, 1):
        with generators_kept():
            random.seed(seed)
            np.random.seed(seed)
            torch.manual_seed(seed)
            before = _states()
            outcomes.append(make())
            for name, state in _states().items():
                if not same(before[name], state):
                    yield f"it draws from, or seeds, the global generator of {name}"
    if not same(*outcomes):
        yield f"{result} depends on a global generator's seed"


def _states() -> dict[str, Any]:
    return {"Python": random.getstate(), "NumPy": np.random.get_state(), "PyTorch": torch.get_rng_state()}
