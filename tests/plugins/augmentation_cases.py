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


def sounds() -> Sequence[Any]:
    from coview_audio.sound import Sound

    tones = [np.sin(2 * np.pi * (110 + 60 * row) * np.arange(2000 + 100 * row) / 8000) for row in range(6)]
    noise = np.random.default_rng(0).standard_normal(3000)
    return [Sound((0.3 * tone + 0.02 * noise[: len(tone)]).astype(np.float32), 8000) for tone in tones]


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
    ),
    "audio": Case(sounds, {"random_excerpt": {"seconds": 0.1}}),
}
