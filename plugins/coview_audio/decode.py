"""From a sound file to a Sound, whatever its format, channels, depth and rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

import coview
from coview_audio.resample import resampled
from coview_audio.sound import Sound

SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff")


def decode(path: Path, rate: int | None = None) -> Sound:
    """A file's sound: channels averaged, resampled where a rate is given.

    Args:
        path: A file that libsndfile reads: WAV, FLAC, Ogg (Vorbis, Opus), MP3, AIFF.
        rate: Samples a second; absent: the file's own.

    Raises:
        SampleError: If the file is missing, truncated, empty, or no sound.
    """
    try:
        with soundfile.SoundFile(path) as file:
            expected, own_rate = file.frames, int(file.samplerate)
            samples: np.ndarray = file.read(dtype="float32", always_2d=True)
    except MemoryError:
        raise
    except Exception as error:  # decoders of damaged bytes raise what they like
        raise coview.SampleError(str(path), _reason(path, error)) from error
    if 0 <= expected < 2**62 and len(samples) < expected:
        raise coview.SampleError(str(path), f"is truncated: {len(samples)} of {expected} samples can be read")
    sound = Sound.of(samples, own_rate, what=str(path))
    return sound if rate is None else resampled(sound, rate)


def _reason(path: Path, error: Exception) -> str:
    if not path.exists():
        return "there is no such file"
    if isinstance(error, PermissionError):
        return "may not be read"
    if path.is_file() and path.stat().st_size == 0:
        return "is empty"
    return f"cannot be read as a sound ({str(error) or type(error).__name__})"
