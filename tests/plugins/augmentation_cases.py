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
        tried_elsewhere: By an augmentation's name, what it needs that is not here, and where it is tried.
    """

    values: Callable[[], Sequence[Any]]
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    except_for: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    tried_elsewhere: Mapping[str, str] = field(default_factory=dict)


def pictures() -> Sequence[Any]:
    return [np.random.default_rng(row).integers(0, 256, (16, 14, 3)).astype(np.uint8) for row in range(6)]


def texts() -> Sequence[Any]:
    words = [
        "the",
        "quick",
        "brown",
        "fox",
        "jumps",
        "over",
        "a",
        "lazy",
        "dog",
        "while",
        "seven",
        "wise",
        "owls",
        "watch",
        "from",
        "their",
        "old",
        "oak",
        "tree",
    ]
    return [" ".join(words[row:] + words[:row]) for row in range(6)]


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
    "text": Case(
        texts,
        except_for={"dropout_views": {"draws_anew_for_each_key": "it changes nothing"}},
        tried_elsewhere={
            "random_insertion": "needs WordNet: test_synonyms.py",
            "synonym_replacement": "needs WordNet: test_synonyms.py",
            "back_translation": "needs a translator: test_back_translation.py",
            "contextual_substitution": "needs a model: test_contextual_substitution.py",
        },
    ),
    "audio": Case(sounds, {"random_excerpt": {"seconds": 0.1}}),
}
