"""What a view of a sound costs: coview beside bare audiomentations, and engines for pitch and tempo, in one process.

python benchmarks/augment_audio.py [--seconds 1.0] [--rate 16000] [--without-engines]

Prints milliseconds of processor time a view, the median of all rounds since their work is drawn too, in which the
contenders take turns so that a busy machine hits them alike, and their ratio. coview's numbers are with its seeding:
the Rng is moved to the stream of (seed, epoch, sample, view) before every call. A ratio above 1 means that coview is
faster.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable, Mapping

import audiomentations
import librosa
import numpy as np
import torch
import torchaudio

import coview
from coview_audio.augment.add_noise import AddNoise
from coview_audio.augment.audiomentations import AudiomentationsStep, audiomentations_transform
from coview_audio.augment.band_pass import BandPass
from coview_audio.augment.dynamic_range_compression import DynamicRangeCompression
from coview_audio.augment.gain import Gain
from coview_audio.augment.pitch_shift import PitchShift
from coview_audio.augment.reverb import Reverb
from coview_audio.augment.shift import Shift
from coview_audio.augment.speed_perturbation import SpeedPerturbation
from coview_audio.augment.time_stretch import TimeStretch
from coview_audio.sound import Sound

ROUNDS = 7

PIPELINE: Mapping[str, Mapping[str, object]] = {
    "Gain": {"p": 1.0},
    "AddGaussianSNR": {"p": 1.0},
    "BandPassFilter": {"p": 1.0},
    "TimeMask": {"p": 1.0},
    "PitchShift": {"p": 1.0},
}
"""What the two sides of the first rows are made of: the same transforms with the same parameters."""

OURS = {
    "gain": (Gain(p=1.0), audiomentations.Gain(p=1.0)),
    "shift": (Shift(p=1.0), audiomentations.Shift(p=1.0)),
    "add_noise": (AddNoise(p=1.0), audiomentations.AddGaussianSNR(p=1.0)),
    "add_noise, pink": (
        AddNoise(color="pink", p=1.0),
        audiomentations.AddColorNoise(min_f_decay=-3, max_f_decay=-3, p=1.0),
    ),
    "band_pass": (BandPass(p=1.0), audiomentations.BandPassFilter(p=1.0)),
    "pitch_shift": (PitchShift(p=1.0), audiomentations.PitchShift(p=1.0)),
    "time_stretch": (TimeStretch(p=1.0), audiomentations.TimeStretch(leave_length_unchanged=False, p=1.0)),
    "speed_perturbation": (SpeedPerturbation(p=1.0), None),
    "dynamic_range_compression": (DynamicRangeCompression(p=1.0), None),
    "reverb": (Reverb(p=1.0), None),
}  # fmt: skip


def milliseconds(*calls: Callable[[int], object]) -> list[float]:
    """Of each call, the median of all rounds, in which they take turns; what takes over a second is called once."""
    counts, first = [], []
    for call in calls:
        call(0)
        start = time.thread_time()
        call(1)
        first.append(time.thread_time() - start)
        counts.append(max(3, min(1000, int(0.2 / first[-1]))))
    if max(first) > 1:
        return [1000 * seconds for seconds in first]
    times: list[list[float]] = [[] for _ in calls]
    for round_ in range(ROUNDS):
        for found, call, count in zip(times, calls, counts, strict=True):
            start = time.thread_time()
            for number in range(count):
                call(round_ * count + number)
            found.append((time.thread_time() - start) / count)
    return [1000 * statistics.median(found) for found in times]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rate", type=int, default=16000)
    parser.add_argument("--without-engines", action="store_true", help="leave out the table of engines")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    length = round(given.seconds * given.rate)
    samples_T = (0.1 * np.random.default_rng(0).standard_normal(length)).astype(np.float32)
    value, rng = Sound(samples_T, given.rate), coview.Rng()
    print(f"{given.seconds:g} s at {given.rate} Hz, one thread; ms a view")

    for names in (list(PIPELINE), [name for name in PIPELINE if name != "PitchShift"]):
        bare = audiomentations.Compose([getattr(audiomentations, name)(**PIPELINE[name]) for name in names])
        steps = [audiomentations_transform(name)(**PIPELINE[name]) for name in names]

        def through_coview(number: int, steps: list[AudiomentationsStep] = steps) -> Sound:
            sound = value
            for position, step in enumerate(steps):
                sound = step(sound, rng.seek(0, 0, number, 0, position))
            return sound

        ours, theirs = milliseconds(through_coview, lambda _, bare=bare: bare(samples_T, given.rate))
        row(f"audiomentations:*, {len(names)} steps", ours, theirs)
    for name, (own, other) in OURS.items():
        calls: list[Callable[[int], object]] = [lambda n, own=own: own(value, rng.seek(0, 0, n, 0, 0))]
        if other is not None:
            calls.append(lambda _, other=other: other(samples_T, given.rate))
        row(name, *milliseconds(*calls))

    if given.without_engines:
        return
    waveform_1T = torch.from_numpy(samples_T)[None]
    print("engines for a shift by 3 semitones, and for 1.2 times the tempo")
    shift = PitchShift(semitones=(3.0, 3.0))
    stretch = TimeStretch(rate=(1.2, 1.2))
    engines: Mapping[str, tuple[Callable[[int], object], Callable[[int], object]]] = {
        "coview (Signalsmith)": (
            lambda n: shift(value, rng.seek(0, 0, n, 0)),
            lambda n: stretch(value, rng.seek(0, 0, n, 0)),
        ),
        "librosa": (
            lambda _: librosa.effects.pitch_shift(samples_T, sr=given.rate, n_steps=3),
            lambda _: librosa.effects.time_stretch(samples_T, rate=1.2),
        ),
        "torchaudio": (
            lambda _: torchaudio.functional.pitch_shift(waveform_1T, given.rate, 3),
            lambda _: torchaudio_stretch(waveform_1T, 1.2),
        ),
    }  # fmt: skip
    for name, calls_of in engines.items():
        pitch, tempo = milliseconds(*calls_of)
        print(f"{name:<28} pitch {pitch:8.2f}   tempo {tempo:8.2f}")


def row(name: str, ours: float, theirs: float | None = None) -> None:
    beside = "" if theirs is None else f"   audiomentations {theirs:7.3f}   ratio {theirs / ours:5.2f}"
    print(f"{name:<28} coview {ours:7.3f}{beside}")


def torchaudio_stretch(waveform_1T: torch.Tensor, rate: float) -> torch.Tensor:
    window = torch.hann_window(2048)
    spectrum = torch.stft(waveform_1T, 2048, 512, window=window, return_complex=True)
    advance = torch.linspace(0, torch.pi * 512, 1025)[:, None]
    stretched = torchaudio.functional.phase_vocoder(spectrum, rate, advance)
    return torch.istft(stretched, 2048, 512, window=window)


if __name__ == "__main__":
    main()
