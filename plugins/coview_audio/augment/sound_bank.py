"""The sounds in a folder, to draw from: noises, impulse responses."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

import coview
from coview_audio.decode import SUFFIXES, decode

_KEPT = 256


class SoundBank:
    """All sound files below a folder, in the order of their paths.

    Args:
        folder: The folder.
        what: What is in it, for messages.

    Raises:
        CoviewError: If there is no such folder, or no sound in it.
    """

    def __init__(self, folder: Path, what: str) -> None:
        root = coview.expanded(folder)
        if not root.is_dir():
            raise coview.CoviewError(f"{what} folder {folder}: there is no such folder")
        self.paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
        if not self.paths:
            raise coview.CoviewError(
                f"{what} folder {folder} has no sounds", hint=f"expected are files ending in {', '.join(SUFFIXES)}"
            )

    def draw(self, rate: int, rng: coview.Rng) -> np.ndarray:
        """The samples of one of them, at a rate; not to be written into."""
        return _samples(self.paths[int(rng.numpy.integers(len(self.paths)))], rate)


@lru_cache(maxsize=_KEPT)
def _samples(path: Path, rate: int) -> np.ndarray:
    try:
        samples_T = decode(path, rate).samples_T
    except coview.SampleError as error:  # not a sample of the data's that could be skipped
        raise coview.CoviewError(str(error), hint="repair or remove it") from error
    samples_T.setflags(write=False)
    return samples_T
