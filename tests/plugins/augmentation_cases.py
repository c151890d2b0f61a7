"""Values of each modality to try augmentations on, and what some of them need to do something."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """How to try the augmentations of one modality.

    Attributes:
        values: Makes the values.
        parameters: By an augmentation's name, where its defaults do not do.
        except_for: By an augmentation's name, the checks that it is meant to fail, with reasons.
    """

    values: Callable[[], Sequence[Any]]
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    except_for: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def pictures() -> Sequence[Any]:
    return [np.random.default_rng(row).integers(0, 256, (16, 14, 3)).astype(np.uint8) for row in range(6)]


CASES = {
    "image": Case(
        pictures,
        {
            "random_resized_crop": {"size": 12},
            "simclr": {"size": 12},
            "moco_v2": {"size": 12},
            "byol": {"view": "second", "size": 12},
            "dino": {"view": "first", "size": 12},
        },
    )
}
