"""From a sound file to a Sound, whatever its format, channels, depth and rate."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

import coview
from coview_audio.sound import Sound, check_size, resampled

SUFFIXES = (".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64")
FLOATS = ("FLOAT", "DOUBLE")
"""Subtypes whose full scale is what the writer took for it."""


def decode(file: Path | BinaryIO, rate: int | None = None, *, name: str = "", full_scale: float = 1.0) -> Sound:
    """A file's sound: channels averaged, resampled where a rate is given.

    Args:
        file: A file that libsndfile reads, by its path or opened: WAV, FLAC, Ogg (Vorbis, Opus), MP3, AIFF.
        rate: Samples a second; absent: the file's own.
        name: Of the file in messages; by default its path.
        full_scale: What samples of floats are divided by.

    Raises:
        SampleError: If the file is missing, truncated, empty, too large, or no sound.
    """
    name = name or str(file)
    try:
        # soundfile cannot encode a name that is not UTF-8
        given = os.fsencode(file) if isinstance(file, Path) and os.name == "posix" else file
        with soundfile.SoundFile(given) as opened:
            expected, own_rate = opened.frames, int(opened.samplerate)
            floats = opened.subtype in FLOATS
            if expected < 2**62:  # more says that the file does not say
                check_size(expected * opened.channels, name)
            samples: np.ndarray = opened.read(dtype="float32", always_2d=True)
    except (MemoryError, coview.SampleError):
        raise
    except Exception as error:  # decoders of damaged bytes raise what they like
        raise coview.SampleError(name, _reason(file, error)) from error
    if 0 <= expected < 2**62 and len(samples) < expected:
        raise coview.SampleError(name, f"is truncated: {len(samples)} of {expected} samples can be read")
    if floats and full_scale != 1:
        samples /= np.float32(full_scale)
    sound = Sound.of(samples, own_rate, what=name)
    return sound if rate is None else resampled(sound, rate, name)


def _reason(file: Path | BinaryIO, error: Exception) -> str:
    if isinstance(file, Path):
        if not file.exists():
            return "there is no such file"
        if isinstance(error, PermissionError):
            return "cannot be read: permission denied"
        if file.is_file() and file.stat().st_size == 0:
            return "is empty"
    return f"cannot be read as a sound ({str(error) or type(error).__name__})"
