"""An augmentation of one sample that is checked, and what it is tried on.

Other interpreters import this module to call the augmentation there. It must not import torch, since each of them would
wait for that, also for an augmentation of texts or arrays that does without.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from coview.data.rng import Rng
from coview.testing.conformance import UnderTest


@dataclass(frozen=True)
class AugmentationUnderTest(UnderTest):
    """An augmentation, by what builds it, and values to try it on.

    Attributes:
        factory, parameters: What builds it.
        values: Values of its modality.
    """

    values: Sequence[Any]

    def outcomes(self, augmentation: Any) -> list[Any]:
        """What becomes of each value, each at a key of its own."""
        return [
            augmentation(copy.deepcopy(value), Rng(seed=1, sample=row, position=2))
            for row, value in enumerate(self.values)
        ]


def outcomes_of_new(tested: AugmentationUnderTest) -> list[Any]:
    """What becomes of each value by a new instance."""
    return tested.outcomes(tested.fresh())
