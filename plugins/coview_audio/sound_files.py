"""Sounds in files, as any data set of several modalities reads them."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from coview_audio.datasets.resample_cache import read_at
from coview_audio.levels import rate_notes, settled_full_scale
from coview_audio.sound import Sound


class SoundFiles:
    """Makes sounds of files: see :func:`coview_audio.datasets.resample_cache.read_at`.

    Args:
        rate: Samples a second, in Hz.
        full_scale: What samples of floats are divided by; None to settle on it by the first files.
    """

    def __init__(self, rate: int, full_scale: float | None = None) -> None:
        self._rate, self._given, self._full_scale = rate, full_scale, full_scale or 1.0

    def look_at(self, examples: Sequence[tuple[str, Path | BytesIO]], /) -> Sequence[str]:
        """Settles on the full scale of floats, and says so, and where rates are lower than the batch's."""
        files = [file for _, file in examples]
        self._full_scale, said = settled_full_scale(files, self._given)
        return (*said, *rate_notes(files, self._rate))

    def __call__(self, file: Path | BytesIO, name: str = "", /) -> Sound:
        """The sound in a file.

        Raises:
            SampleError: If there is none.
        """
        return read_at(file, self._rate, name=name, full_scale=self._full_scale)
