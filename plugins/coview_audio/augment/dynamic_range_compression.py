"""Makes loud parts softer, as broadcasters and telephones do."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le
from scipy.signal import lfilter

import coview
from coview_audio.augment.ranges import check_range, happens
from coview_audio.sound import Sound

_Threshold = Annotated[float, Ge(-100), Le(0)]
_Ratio = Annotated[float, Ge(1), Le(100)]
_Milliseconds = Annotated[float, Gt(0), Le(10000)]
_MakeUp = Annotated[float, Ge(0), Le(60)]
_SILENCE = 1e-6
"""-120 dB: what is softer has the gain of this."""


class DynamicRangeCompression:
    """A feed-forward compressor with a soft knee and a decoupled peak detector, after Giannoulis, Massberg and Reiss
    (2012), "Digital dynamic range compressor design", doi:10.17743/jaes.2012.0049: the gain computer, on the
    level of each sample in dB, is smoothed by the detector, and the make-up gain is added.

    Args:
        threshold_db: Smallest and largest threshold, in dB of full scale, above which it is made softer.
        ratio: Smallest and largest ratio; its logarithm is drawn evenly. With 4, four dB above the threshold become
            one.
        attack_ms: Smallest and largest time constant in milliseconds of becoming softer.
        release_ms: Likewise, for becoming as loud as before again, a factor of e in dB.
        knee_db: Width in dB of the bend at the threshold; 0 is a sharp one.
        makeup_db: Smallest and largest gain in dB that is added in the end.
        p: Probability of being applied.
    """

    def __init__(
        self,
        *,
        threshold_db: tuple[_Threshold, _Threshold] = (-40.0, -15.0),
        ratio: tuple[_Ratio, _Ratio] = (2.0, 8.0),
        attack_ms: tuple[_Milliseconds, _Milliseconds] = (1.0, 20.0),
        release_ms: tuple[_Milliseconds, _Milliseconds] = (50.0, 200.0),
        knee_db: Annotated[float, Ge(0), Le(60)] = 6.0,
        makeup_db: tuple[_MakeUp, _MakeUp] = (0.0, 6.0),
        p: Annotated[float, Ge(0), Le(1)] = 0.5,
    ) -> None:
        self.threshold_db, self.ratio, self.attack_ms, self.release_ms = threshold_db, ratio, attack_ms, release_ms
        self.knee_db, self.makeup_db, self.p = knee_db, makeup_db, p
        for name in ("threshold_db", "ratio", "attack_ms", "release_ms", "makeup_db"):
            check_range(name, getattr(self, name))

    def __call__(self, value: Sound, rng: coview.Rng, /) -> Sound:
        """The compressed sound."""
        if not happens(self.p, rng):
            return value
        draw = rng.numpy.uniform
        compressed_T = compress(
            value.samples_T,
            value.rate,
            threshold_db=draw(*self.threshold_db),
            ratio=float(np.exp(draw(*np.log(self.ratio)))),
            attack_ms=draw(*self.attack_ms),
            release_ms=draw(*self.release_ms),
            knee_db=self.knee_db,
            makeup_db=draw(*self.makeup_db),
        )
        return value.with_samples(compressed_T)


def compress(
    samples_T: np.ndarray,
    rate: int,
    *,
    threshold_db: float,
    ratio: float,
    attack_ms: float,
    release_ms: float,
    knee_db: float,
    makeup_db: float,
) -> np.ndarray:
    """The compressor itself; the names are those of :class:`DynamicRangeCompression`."""
    level_T = 20 * np.log10(np.maximum(np.abs(samples_T), _SILENCE).astype(np.float64))
    reduction_T = level_T - static_curve(level_T, threshold_db, ratio, knee_db)
    attack, release = (float(np.exp(-1000 / (ms * rate))) for ms in (attack_ms, release_ms))
    # y[t] = max(x[t], release · y[t-1]) is max over s ≤ t of x[s] · release^(t-s): a running maximum of logarithms
    with np.errstate(divide="ignore"):
        log_T = np.log(reduction_T)
    slope_T = np.arange(len(samples_T)) * np.log(release)
    held_T = np.exp(np.maximum.accumulate(log_T - slope_T) + slope_T)
    smooth_T = lfilter([1 - attack], [1, -attack], held_T)
    compressed: np.ndarray = (samples_T * 10 ** ((makeup_db - smooth_T) / 20)).astype(np.float32)
    return compressed


def static_curve(level_T: np.ndarray, threshold_db: float, ratio: float, knee_db: float) -> np.ndarray:
    """The level that comes out for one that stays, both in dB, without make-up gain."""
    over_T = level_T - threshold_db
    slope = 1 / ratio - 1
    above_T = level_T + slope * over_T.clip(min=0)
    if knee_db == 0:
        return above_T
    bent_T = level_T + slope * (over_T + knee_db / 2) ** 2 / (2 * knee_db)
    curve: np.ndarray = np.where(2 * np.abs(over_T) <= knee_db, bent_T, above_T)
    return curve
