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


def read_at(file: Path | io.BytesIO, rate: int, *, name: str = "") -> Sound:
    """The sound of a file at a rate.

    What has to be resampled is kept in ``$COVIEW_DATA/resampled`` (or in coview's cache folder) as float16, the error
    of whose eleven bits is 66 dB below the sample; a file that has changed since is read again. Where the folder
    cannot be written, nothing is kept.

    Args:
        file: By its path, or its bytes.
        rate: Samples a second, in Hz.
        name: Of the file in messages; by default its path.

    Raises:
        SampleError: If the file cannot be read.
    """
    kept = _place(file, rate)
    if kept is not None and kept.is_file():
        with suppress(OSError, ValueError, EOFError, MemoryError):  # one that is damaged is made again
            samples = np.load(kept)
            if isinstance(samples, np.ndarray) and samples.ndim == 1 and samples.dtype == np.float16 and samples.size:
                return Sound(samples.astype(np.float32), rate)
    sound = decode(file, name=name)
    if sound.rate == rate:
        return sound
    samples_T = resampled(sound, rate, name or str(file)).samples_T.astype(np.float16)
    if kept is not None:
        with suppress(OSError):
            _keep(kept, samples_T)
    # the first reading gives what the later ones will
    return Sound(samples_T.astype(np.float32), rate)


def _place(file: Path | io.BytesIO, rate: int) -> Path | None:
    if isinstance(file, Path):
        try:
            state = file.stat()
        except OSError:
            return None
        of = f"{file.absolute()}\0{state.st_size}\0{state.st_mtime_ns}\0{rate}"
    else:
        of = f"{hashlib.blake2b(file.getbuffer(), digest_size=16).hexdigest()}\0{rate}"
    name = hashlib.blake2b(of.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
    return coview.data_folder("resampled") / name[:2] / f"{name}.npy"


def _keep(kept: Path, samples_T: np.ndarray) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    with coview.replacing(kept, durable=False) as beside, beside.open("wb") as file:
        np.save(file, samples_T)
