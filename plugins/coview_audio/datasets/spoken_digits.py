"""Spoken digits from a speech synthesiser that pip brings: data from nothing."""

from __future__ import annotations

import hashlib
import tempfile
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import ClassVar

import numpy as np

import coview
from coview_audio.datasets.espeak import Word, speak
from coview_audio.sound import Sound, resampled

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_ACCENTS = ("en-us", "en-gb-scotland", "en-gb-x-rp")
_DELIVERY = ((130, 35), (165, 65), (210, 45), (185, 20))
"""Words a minute and pitch."""
_TRAIN_VOICES = (
    "m1", "m2", "m4", "m6", "m7", "f1", "f3", "f4", "Andy", "Annie", "Gene", "Jacky", "Lee", "Mario",
    "Michael", "adam", "anika", "belinda", "david", "ed", "linda", "rob", "steph", "travis",
)  # fmt: skip
_TEST_VOICES = ("m3", "m5", "f2", "f5", "Alicia", "Denis", "benjamin", "shelby")
_KEPT_RATE = 16000
_PARTS = ("samples", "ends", "version", "digest")


class SpokenDigits:
    """3840 synthetic recordings of the ten English digits, 24 voices for training and 8 others for the test.

    Each voice says each digit in three accents, four times at different speeds and pitches. No voice is on
    both sides. The voices are variants of one synthesiser, eSpeak NG's: synthetic, easier than people, good
    for a first run and for tests, and no evidence about speech. They are made once, in seconds, and kept in
    ``$COVIEW_DATA/spoken_digits`` (or, without that variable, ``spoken_digits`` in coview's cache folder).

    Args:
        split: "train" or "test".
        sample_rate: Samples a second, in Hz.
    """

    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    modalities: tuple[str, ...] = ("audio",)
    classes: tuple[str, ...] | None = _DIGITS
    citation = "Spoken by eSpeak NG, https://github.com/espeak-ng/espeak-ng"
    licence = "GPL-3.0 for the synthesiser; no claim on what it says"

    def __init__(self, *, split: str = "train", sample_rate: int = 16000) -> None:
        coview.check_split(split, self.splits)
        kept = _kept()
        voices = _TRAIN_VOICES if split == "train" else _TEST_VOICES
        self._sample_rate = sample_rate
        self._samples, self._ends = kept["samples"], kept["ends"]
        self.version = f"eSpeak NG {kept['version']}, {kept['digest']}"
        self._words = _words()
        self._rows = [row for row, word in enumerate(self._words) if _variant(word) in voices]
        self.labels = np.array([_DIGITS.index(self._words[row].text) for row in self._rows])
        self.groups = [_variant(self._words[row]) for row in self._rows]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int, /) -> coview.Sample:
        row = self._rows[index]
        word = self._words[row]
        start = self._ends[row - 1] if row else 0
        sound = Sound.of(self._samples[start : self._ends[row]], _KEPT_RATE)
        return coview.Sample(
            {"audio": resampled(sound, self._sample_rate)},
            id=row,
            label=int(self.labels[index]),
            group=_variant(word),
        )


def _variant(word: Word) -> str:
    return word.voice.partition("+")[2]


def _words() -> list[Word]:
    every = product((*_TRAIN_VOICES, *_TEST_VOICES), _ACCENTS, _DIGITS, _DELIVERY)
    return [Word(digit, f"{accent}+{voice}", speed, pitch) for voice, accent, digit, (speed, pitch) in every]


def _kept() -> dict[str, np.ndarray]:
    """All recordings from their file; made where it is not there, by one process while others wait."""
    words = _words()
    of = hashlib.blake2b(repr((words, _KEPT_RATE, version("espeakng-loader"))).encode(), digest_size=6).hexdigest()
    folder = coview.data_folder("spoken_digits")
    path = folder / f"{of}.npz"
    if (kept := _read(path)) is not None:
        return kept
    folder.mkdir(parents=True, exist_ok=True)
    with coview.file_lock(folder / ".lock"):
        if (kept := _read(path)) is None:
            with coview.replacing(path) as beside:
                _make(words, beside)
            kept = _read(path)
    assert kept is not None, "it has just been made"
    return kept


def _read(path: Path) -> dict[str, np.ndarray] | None:
    """What the file holds; None if it is not there, or damaged."""
    kept = coview.cached_arrays(path, _PARTS)
    return kept if kept is not None and str(kept["digest"]) == _digest(kept["samples"]) else None


def _digest(samples: np.ndarray) -> str:
    return hashlib.blake2b(samples.tobytes(), digest_size=6).hexdigest()


def _make(words: list[Word], path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="coview-") as scratch:
        spoken, rate, engine = speak(words, Path(scratch))
    sounds = [resampled(Sound.of(_trimmed(samples), rate), _KEPT_RATE).samples_T for samples in spoken]
    samples = (np.concatenate(sounds).clip(-1, 1) * 32767).round().astype(np.int16)
    ends = np.cumsum([len(sound) for sound in sounds])
    np.savez(path, samples=samples, ends=ends, version=engine, digest=_digest(samples))


def _trimmed(samples: np.ndarray) -> np.ndarray:
    """Without the exact silence that the synthesiser puts around a word."""
    heard = np.flatnonzero(np.abs(samples) > 32)
    return samples[heard[0] : heard[-1] + 1]
