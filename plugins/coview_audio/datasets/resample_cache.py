"""Files resampled once: the result is kept on disk."""

from __future__ import annotations

import hashlib
import io
from contextlib import suppress
from pathlib import Path

import numpy as np

import coview
from coview_audio.decode import decode
from coview_audio.sound import Sound, resampled


def read_at(file: Path | io.BytesIO, rate: int, *, name: str = "", full_scale: float = 1.0) -> Sound:
    """The sound of a file at a rate.

    What has to be resampled is kept in ``$COVIEW_DATA/resampled`` (or in coview's cache folder), exactly: the rounding
    of fewer bits would fill the bands that a sound of a lower rate leaves empty, which a logarithm shows. A file that
    has changed since is read again. Where the folder cannot be written, nothing is kept, nor is anything of what comes
    from a stream (:class:`coview.StreamedFile`).

    Args:
        file: By its path, or its bytes.
        rate: Samples a second, in Hz.
        name: Of the file in messages; by default its path.
        full_scale: What samples of floats are divided by.

    Raises:
        SampleError: If the file cannot be read.
    """
    kept = _place(file, rate, full_scale)
    if kept is not None and kept.is_file():
        with suppress(OSError, ValueError, EOFError, MemoryError):  # one that is damaged is made again
            samples = np.load(kept)
            if isinstance(samples, np.ndarray) and samples.ndim == 1 and samples.dtype == np.float32 and samples.size:
                return Sound(samples, rate)
    sound = decode(file, name=name, full_scale=full_scale)
    if sound.rate == rate:
        return sound
    sound = resampled(sound, rate, name or str(file))
    if kept is not None:
        with suppress(OSError):
            _keep(kept, sound.samples_T)
    return sound


def _place(file: Path | io.BytesIO, rate: int, full_scale: float) -> Path | None:
    if isinstance(file, coview.StreamedFile):
        return None
    if isinstance(file, Path):
        try:
            state = file.stat()
        except OSError:
            return None
        of = f"{file.absolute()}\0{state.st_size}\0{state.st_mtime_ns}\0{state.st_ctime_ns}\0{rate}\0{full_scale}"
    else:
        of = f"{hashlib.blake2b(file.getbuffer(), digest_size=16).hexdigest()}\0{rate}\0{full_scale}"
    name = hashlib.blake2b(of.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
    return coview.data_folder("resampled") / name[:2] / f"{name}.npy"


def _keep(kept: Path, samples_T: np.ndarray) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    with coview.replacing(kept, durable=False) as beside, beside.open("wb") as file:
        np.save(file, samples_T)
