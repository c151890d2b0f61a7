"""The value of the audio modality: one channel of float32 samples, and their rate, which soxr changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr

import coview

LARGEST = 2**28
"""Samples of a sound, over all its channels: a gigabyte, or four hours at 16 kHz."""


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """A sound of one channel.

    Attributes:
        samples_T: float32; full scale is from -1 to 1, and what exceeds it is kept as it is.
        rate: Samples a second.
    """

    samples_T: np.ndarray
    rate: int

    def __post_init__(self) -> None:
        samples = self.samples_T
        if samples.ndim != 1 or samples.dtype != np.float32 or samples.size == 0:
            raise TypeError(
                f"a Sound is one channel of at least one float32 sample, got {samples.dtype} of shape {samples.shape}: "
                "use Sound.of"
            )

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s at {self.rate / 1000:g} kHz"

    @classmethod
    def of(cls, samples: np.ndarray, rate: int, *, what: str = "sound") -> Sound:
        """From samples of any kind.

        Channels are averaged; integers are divided by their full scale, so that int16 and float agree.

        Args:
            samples: ``(T,)`` or, as soundfile has them, ``(T, channels)``; floats or integers.
            rate: Samples a second.
            what: What to call it in a message.

        Raises:
            SampleError: If there is no sample, or one is not a finite number.
        """
        if samples.ndim not in (1, 2):
            raise TypeError(f"samples have to be (T,) or (T, channels), got shape {samples.shape}")
        if samples.size == 0:
            raise coview.SampleError(what, "it has no samples")
        if samples.dtype == np.uint8:  # WAV's 8 bits, whose silence is 128
            samples = (samples.astype(np.float32) - 128) / 128
        elif np.issubdtype(samples.dtype, np.integer):
            samples = samples.astype(np.float32) / -float(np.iinfo(samples.dtype).min)
        mono = samples if samples.ndim == 1 else samples.mean(axis=1)
        mono = np.ascontiguousarray(mono, dtype=np.float32)
        if not np.isfinite(mono).all():
            raise coview.SampleError(what, "it has samples that are not finite numbers")
        return cls(mono, rate)

    def with_samples(self, samples_T: np.ndarray) -> Sound:
        """Other samples at the same rate."""
        return Sound(np.ascontiguousarray(samples_T, dtype=np.float32), self.rate)

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples_T) / self.rate

    def __len__(self) -> int:
        return len(self.samples_T)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sound) and self.rate == other.rate and np.array_equal(self.samples_T, other.samples_T)

    __hash__ = None  # type: ignore[assignment]  # as an array has none


def resampled(sound: Sound, rate: int, what: str = "sound") -> Sound:
    """The same sound at another rate, band-limited; itself where the rate is the same already.

    Of a sound too short for one sample at the new rate, one is kept.

    Raises:
        SampleError: If it would be of more than 2²⁸ samples: files may claim any rate.
    """
    if sound.rate == rate:
        return sound
    check_size(len(sound) * rate // sound.rate, f"{what} of {sound.rate} Hz at {rate} Hz")
    samples_T = soxr.resample(sound.samples_T, sound.rate, rate, quality="HQ")
    return Sound(samples_T if len(samples_T) else np.ascontiguousarray(sound.samples_T[:1]), rate)


def check_size(samples: int, what: str) -> None:
    """Refuses what would fill the memory.

    Raises:
        SampleError: If there are more than 2²⁸ samples.
    """
    if samples > LARGEST:
        raise coview.SampleError(what, f"has {samples:,} samples, more than {LARGEST:,}")
