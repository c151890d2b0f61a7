"""Values of each modality to try augmentations on, and what some of them need to do something."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

import coview


@dataclass(frozen=True)
class Case:
    """How to try the augmentations of one modality.

    Attributes:
        values: Makes the values.
        batch: Makes a batch of two views of six samples, for an augmentation of this name.
        parameters: By an augmentation's name, where its defaults are not enough.
        except_for: By an augmentation's name, the checks that it is meant to fail, with reasons.
        tried_elsewhere: By an augmentation's name, what it needs that is not here, and where it is tried.
    """

    values: Callable[[], Sequence[Any]]
    batch: Callable[[str], Any]
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    except_for: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    tried_elsewhere: Mapping[str, str] = field(default_factory=dict)


@cache
def registry() -> coview.Registry:
    """Every installed plugin."""
    return coview.load_plugins()


def build(use: str, *, modality: str, **parameters: Any) -> Any:
    """An augmentation by its name: what another interpreter can build it by."""
    return registry().build("augmentation", use, modality=modality, **parameters)


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


def batch_of_pictures(name: str) -> Any:
    import torch

    return torch.from_numpy(np.stack(pictures() * 2)).permute(0, 3, 1, 2)


def batch_of_tokens(name: str) -> Any:
    import torch

    lengths = torch.tensor([9, 12, 20, 15, 7, 11] * 2)
    mask = (torch.arange(20) < lengths[:, None]).long()
    return {"input_ids": torch.arange(240).view(12, 20) * mask, "attention_mask": mask}


def batch_of_sounds(name: str) -> Any:
    """Waveforms for what makes log-mel of them, and log-mel for all others."""
    import torch

    draw = torch.Generator().manual_seed(0)
    rate = torch.full((12,), 16000)
    if name == "log_mel":
        lengths = torch.tensor([4000, 5000, 4500, 4800, 3000, 5000] * 2)
        waveform = torch.randn(12, 5000, generator=draw) * (torch.arange(5000) < lengths[:, None])
        return {"waveform_NT": waveform, "lengths_N": lengths, "rate_N": rate}
    frames = torch.tensor([30, 28, 30, 25, 30, 29] * 2)
    batch = {"log_mel_NFT": torch.randn(12, 64, 30, generator=draw) * 3 - 4, "frames_N": frames, "rate_N": rate}
    return {**batch, "normalised_by_N2": torch.ones(12, 2)} if name == "standardise_batch" else batch


CASES = {
    "image": Case(
        pictures,
        batch_of_pictures,
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
        batch_of_tokens,
        tried_elsewhere={
            "random_insertion": "needs WordNet: test_synonyms.py",
            "synonym_replacement": "needs WordNet: test_synonyms.py",
            "back_translation": "needs a translator: test_back_translation.py",
            "contextual_substitution": "needs a model: test_contextual_substitution.py",
        },
    ),
    "audio": Case(
        sounds,
        batch_of_sounds,
        {"random_excerpt": {"seconds": 0.1}, "torchaudio": {"freq_mask_param": 20}},
        except_for={"standardise_batch": {"draws_anew_for_each_key": "it draws nothing"}},
    ),
}
