"""eSpeak NG, the speech synthesiser in the wheel espeakng-loader, through its C interface.

Its voices breathe by random numbers, seeded by the clock unless told otherwise, and its oscillators go on from word to
word: the same words in the same order give the same samples only in a process that has just begun. So everything is
spoken in one process of its own::

    python -m coview_audio.datasets.espeak WORDS.json OUT.npz
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import espeakng_loader
import numpy as np

_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: samples are given to the callback, nothing is played
_DO_NOT_EXIT = 0x8000
_UTF8 = 1
_RATE, _PITCH = 1, 3


class Word(NamedTuple):
    """What to say, and how.

    Attributes:
        text: The words.
        voice: A language, with or without ``+`` and a variant: ``en-us+f2``.
        speed: Words a minute, from 80 to 450.
        pitch: From 0 to 99; 50 is the voice's own.
    """

    text: str
    voice: str
    speed: int
    pitch: int


def speak(words: Sequence[Word], scratch: Path) -> tuple[list[np.ndarray], int, str]:
    """The words as int16 samples, their rate, and the synthesiser's version.

    Args:
        words: In this order.
        scratch: An empty folder to work in.
    """
    given, out = scratch / "words.json", scratch / "spoken.npz"
    given.write_text(json.dumps(words))
    subprocess.run([sys.executable, "-m", __name__, str(given), str(out)], check=True)
    with np.load(out) as spoken:
        samples, ends = spoken["samples"], spoken["ends"]
        return np.split(samples, ends[:-1]), int(spoken["rate"]), str(spoken["version"])


class _Synthesiser:
    """One for each process: the library is global."""

    def __init__(self) -> None:
        self._library: Any = ctypes.CDLL(espeakng_loader.get_library_path())
        self._library.espeak_Info.restype = ctypes.c_char_p
        self._chunks: list[np.ndarray] = []
        data = espeakng_loader.get_data_path().encode()
        self.rate = int(self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, _DO_NOT_EXIT))
        if self.rate <= 0:
            raise RuntimeError("eSpeak NG cannot find its data")
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(0))
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
        self._callback = kind(self._take)  # kept, as C keeps only its address
        self._library.espeak_SetSynthCallback(self._callback)

    @property
    def version(self) -> str:
        return str(self._library.espeak_Info(None).decode().split()[0])

    def say(self, word: Word) -> np.ndarray:
        self._chunks.clear()
        if self._library.espeak_SetVoiceByName(word.voice.encode()) != 0:
            raise RuntimeError(f"eSpeak NG has no voice {word.voice!r}")
        self._library.espeak_SetParameter(_RATE, word.speed, 0)
        self._library.espeak_SetParameter(_PITCH, word.pitch, 0)
        text = word.text.encode()
        self._library.espeak_Synth(text, len(text) + 1, 0, 0, 0, _UTF8, None, None)
        self._library.espeak_Synchronize()
        return np.concatenate(self._chunks)

    def _take(self, samples: Any, count: int, events: Any) -> int:
        if count > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0


def _main(given: str, out: str) -> None:
    synthesiser = _Synthesiser()
    spoken = [synthesiser.say(Word(*word)) for word in json.loads(Path(given).read_text())]
    np.savez(
        out,
        samples=np.concatenate(spoken),
        ends=np.cumsum([len(samples) for samples in spoken]),
        rate=synthesiser.rate,
        version=synthesiser.version,
    )


if __name__ == "__main__":
    _main(*sys.argv[1:])
