"""What some files of a data set say of all: their rates, and the full scale of floats."""

from __future__ import annotations

import os
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile

from coview_audio.decode import FLOATS

_LOUD = 8.0
"""18 dB above full scale: louder than what any mix reaches."""
_SCALES = (2.0**15, 2.0**23, 2.0**31)
"""Full scales of integers, by which floats have been written that were never divided."""


def settled_full_scale(examples: Sequence[Path | BytesIO], given: float | None) -> tuple[float, tuple[str, ...]]:
    """What samples of floats are to be divided by, and what to say about it.

    Args:
        examples: Some of the files. Those that cannot be read are skipped.
        given: What the user says.

    Returns:
        What is given; else 1, or the full scale of 16, 24 or 32 bits where some of the files are too loud for 1.
    """
    if given is not None:
        return given, ()
    loudest = max((level for path in examples if (level := _level(path)) is not None), default=0.0)
    if not loudest > _LOUD:
        return 1.0, ()
    scale = next((scale for scale in _SCALES if loudest <= scale), loudest)
    return scale, (
        f"samples of floats reach {loudest:,.0f}, where full scale is 1: they are divided by {scale:,.0f}; "
        "full_scale = 1 takes them as they are",
    )


def rate_notes(examples: Sequence[Path | BytesIO], rate: int) -> tuple[str, ...]:
    """Says so where some of the files have a lower rate than they are brought to.

    Args:
        examples: Some of the files.
        rate: In Hz.
    """
    rates = [found for path in examples if (found := _rate(path)) is not None]
    lower = sorted({found for found in rates if found < rate})
    if not lower:
        return ()
    listed = " and ".join(f"{found:,}" for found in lower)
    return (
        f"sounds of {listed} Hz are brought to {rate:,} Hz, which adds nothing above {lower[-1] // 2:,} Hz; "
        f"modality.sample_rate={lower[-1]} avoids it, with an encoder of that rate",
    )


def _rate(file: Path | BytesIO) -> int | None:
    try:
        return int(soundfile.info(_given(file)).samplerate)
    except Exception:  # decoders of damaged bytes raise what they like; reading the sample says what is wrong
        return None


def _level(file: Path | BytesIO) -> float | None:
    """The largest sample of a file of floats."""
    try:
        with soundfile.SoundFile(_given(file)) as opened:
            if opened.subtype not in FLOATS:
                return None
            samples = opened.read(dtype="float32")
    except Exception:  # as above
        return None
    finite = samples[np.isfinite(samples)]
    return float(np.abs(finite).max()) if finite.size else None


def _given(file: Path | BytesIO) -> bytes | Path | BytesIO:
    if isinstance(file, BytesIO):
        file.seek(0)
        return file
    return os.fsencode(file) if os.name == "posix" else file  # soundfile cannot encode a name that is not UTF-8
