"""Digits that have a picture, a caption and a sound each: a run of three towers, for tests of what becomes of it."""

from __future__ import annotations

import numpy as np

import coview
from coview_audio.sound import Sound

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TRAIN, TEST = 80, 40
RATE = 16000

RECIPE = """\
schema = 1
name = "three"
seed = 1

[data]
use = "told_digits"
views = 1
workers = 0

[encoder.image]
use = "resnet18"
stem = "small"
width = 8

[encoder.text]
use = "text_transformer"
vocabulary = 300
width = 16
layers = 1
heads = 2

[encoder.audio]
use = "audio_cnn"
width = 16
channels = 8
mel_bins = 16

[projector.image]
hidden = 16
width = 8

[projector.text]
hidden = 16
width = 8

[projector.audio]
hidden = 16
width = 8

[loss]
use = "nt_xent"

[optimizer]
use = "sgd"
lr = 0.5

[train]
steps = 8
batch_size = 32
precision = "fp32"
device = "cpu"
"""


class ToldDigits:
    """scikit-learn's digits, 120 in all: each with a caption of a few words, and a tone that rises with the digit."""

    splits = ("train", "test")
    modalities = ("image", "text", "audio")
    citation, licence, version = "scikit-learn", "BSD", "1"
    classes: tuple[str, ...] | None = NAMES

    def __init__(self, split: str = "train"):
        digits = coview.load_plugins().build("dataset", "digits", supplied={"split": split})
        self.split, self.samples = split, [digits[index] for index in range(TRAIN if split == "train" else TEST)]

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index, /):
        sample = self.samples[index]
        rng = np.random.default_rng([index, self.split == "test"])
        words = [NAMES[sample.label], *rng.choice(["red", "blue", "old", "new", "big", "small", "far"], 4)]
        tone = np.sin(np.arange(RATE // 2) * (300 + 100 * sample.label) * 2 * np.pi / RATE)
        values = {
            "image": sample["image"],
            "text": " ".join(rng.permutation(words).tolist()),
            "audio": Sound.of((tone + 0.5 * rng.normal(size=tone.shape)).astype(np.float32) / 4, RATE),
        }
        return coview.Sample(values, id=f"{self.split}-{index}", label=sample.label)


def registry() -> coview.Registry:
    """All that is installed, and the digits."""
    mine = coview.Registrar("told")
    mine.dataset("told_digits", "three_towers:ToldDigits", summary="digits with captions and sounds")
    return coview.load_plugins().plus(mine)
