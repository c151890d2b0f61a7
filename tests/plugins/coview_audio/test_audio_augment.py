"""What each augmentation does, measured; that it does so as often as p says; and silence, one sample, clipping, rates."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import torch
import torchaudio
from scipy.signal import butter, sosfreqz

import coview
from coview_audio.augment.add_noise import AddNoise
from coview_audio.augment.band_pass import BandPass, sections_of
from coview_audio.augment.dynamic_range_compression import DynamicRangeCompression
from coview_audio.augment.gain import Gain
from coview_audio.augment.pitch_shift import PitchShift
from coview_audio.augment.polarity import Polarity
from coview_audio.augment.random_excerpt import RandomExcerpt
from coview_audio.augment.reverb import Reverb
from coview_audio.augment.shift import Shift
from coview_audio.augment.speed_perturbation import SpeedPerturbation
from coview_audio.augment.time_stretch import TimeStretch
from coview_audio.sound import Sound

EVERY = {
    "add_noise": AddNoise(p=1.0),
    "pink noise": AddNoise(color="pink", p=1.0),
    "band_pass": BandPass(p=1.0),
    "compression": DynamicRangeCompression(p=1.0),
    "gain": Gain(p=1.0),
    "pitch_shift": PitchShift(p=1.0),
    "polarity": Polarity(p=1.0),
    "random_excerpt": RandomExcerpt(seconds=0.1),
    "reverb": Reverb(p=1.0),
    "shift": Shift(p=1.0),
    "speed_perturbation": SpeedPerturbation(p=1.0),
    "time_stretch": TimeStretch(p=1.0),
}


def tone(hertz: float = 440.0, rate: int = 16000, seconds: float = 1.0, loudness: float = 0.3) -> Sound:
    samples = loudness * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)
    return Sound(samples.astype(np.float32), rate)


def noise(seconds: float = 1.0, rate: int = 16000) -> Sound:
    return Sound((0.1 * np.random.default_rng(0).standard_normal(round(seconds * rate))).astype(np.float32), rate)


def outcomes(augmentation, value, n: int) -> list[Sound]:
    rng = coview.Rng()
    return [augmentation(value, rng.seek(0, 0, sample, 0, 0)) for sample in range(n)]


def rms_db(samples) -> float:
    return 10 * float(np.log10(np.mean(np.square(samples, dtype=np.float64))))


def peak_hertz(sound: Sound) -> float:
    middle = sound.samples_T[len(sound) // 8 : -len(sound) // 8]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 1 << 18))
    return float(spectrum.argmax()) * sound.rate / (1 << 18)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_gives_a_finite_sound_of_the_same_rate(name, rate):
    for out in outcomes(EVERY[name], tone(rate=rate, seconds=0.3), 4):
        assert out.rate == rate
        assert np.isfinite(out.samples_T).all()
        assert out.samples_T.any()


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("length", [1, 2, 7, 100])
def test_sounds_of_a_few_samples_come_out_as_sounds(name, length):
    for out in outcomes(EVERY[name], Sound(np.full(length, 0.5, dtype=np.float32), 16000), 4):
        assert len(out) >= 1
        assert np.isfinite(out.samples_T).all()


@pytest.mark.parametrize("name", EVERY)
def test_silence_stays_silence(name):
    for out in outcomes(EVERY[name], Sound(np.zeros(4000, dtype=np.float32), 16000), 3):
        assert np.abs(out.samples_T).max() < 1e-12


@pytest.mark.parametrize("name", sorted(set(EVERY) - {"compression"}))  # which makes loud parts softer
def test_what_is_beyond_full_scale_is_not_clipped(name):
    value = tone(loudness=8.0, seconds=0.5)
    assert max(np.abs(out.samples_T).max() for out in outcomes(EVERY[name], value, 8)) > 1.5


@pytest.mark.parametrize(
    "augmentation",
    [AddNoise(p=0.3), BandPass(p=0.3), DynamicRangeCompression(p=0.3), Gain(p=0.3), PitchShift(p=0.3), Polarity(p=0.3),
     RandomExcerpt(seconds=0.01, p=0.3), Reverb(p=0.3), Shift(p=0.3), SpeedPerturbation(rate=(0.5, 0.8), p=0.3),
     TimeStretch(p=0.3)],
    ids=lambda a: type(a).__name__,
)  # fmt: skip
def test_happens_as_often_as_p_says(augmentation):
    value, n = tone(seconds=0.02), 600
    share = np.mean([out != value for out in outcomes(augmentation, value, n)])
    assert abs(share - 0.3) < 4 * np.sqrt(0.3 * 0.7 / n)


@pytest.mark.parametrize("color", ["white", "pink", "brown", "blue", "violet"])
def test_noise_has_the_ratio_asked_for(color):
    value = tone()
    for out in outcomes(AddNoise(snr_db=(7.0, 7.0), color=color), value, 3):
        added = out.samples_T.astype(np.float64) - value.samples_T
        assert rms_db(value.samples_T) - rms_db(added) == pytest.approx(7, abs=1e-3)


@pytest.mark.parametrize(
    ("color", "per_octave"), [("white", 0.0), ("pink", -3.01), ("brown", -6.02), ("blue", 3.01), ("violet", 6.02)]
)
def test_noise_has_its_color(color, per_octave):
    """The power per hertz in two bands three octaves apart."""
    value = tone(seconds=4.0, hertz=1.0)
    powers = []
    for out in outcomes(AddNoise(snr_db=(-60.0, -60.0), color=color), value, 4):
        spectrum = np.abs(np.fft.rfft(out.samples_T.astype(np.float64))) ** 2
        hertz = np.fft.rfftfreq(len(value), 1 / 16000)
        bands = [spectrum[(hertz > f * 0.9) & (hertz < f * 1.1)].mean() for f in (500, 4000)]
        powers.append(10 * np.log10(bands[1] / bands[0]) / 3)
    assert np.mean(powers) == pytest.approx(per_octave, abs=0.3)


def test_recorded_noise_is_an_excerpt_of_a_file(tmp_path):
    recorded = np.random.default_rng(1).uniform(-0.5, 0.5, 3000).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", recorded, 16000, subtype="FLOAT")
    augmentation = AddNoise(snr_db=(0.0, 0.0), folder=tmp_path)
    value = tone(seconds=0.1)
    starts = set()
    for out in outcomes(augmentation, value, 8):
        added = (out.samples_T - value.samples_T).astype(np.float64)
        match = np.correlate(recorded.astype(np.float64), added, mode="valid")
        start = int(match.argmax())
        excerpt = recorded[start : start + 1600]
        assert np.corrcoef(excerpt, added)[0, 1] > 0.9999
        starts.add(start)
    assert len(starts) > 4
    longer = augmentation(tone(seconds=0.5), coview.Rng())  # repeated
    added = longer.samples_T - tone(seconds=0.5).samples_T
    assert np.allclose(added[:3000], added[3000:6000], atol=1e-5)


def test_folders_without_sounds_are_refused(tmp_path):
    with pytest.raises(coview.CoviewError, match="no such folder"):
        AddNoise(folder=tmp_path / "gone")
    with pytest.raises(coview.CoviewError, match="no sounds") as caught:
        Reverb(folder=tmp_path)
    assert ".wav" in caught.value.hint


def test_gain_is_in_decibels():
    value = tone()
    gains = [rms_db(out.samples_T) - rms_db(value.samples_T) for out in outcomes(Gain(gain_db=(-6.0, 3.0)), value, 200)]
    assert -6.001 < min(gains) < -5.7
    assert 2.7 < max(gains) < 3.001


def test_shift_moves_and_fills():
    value = Sound(np.arange(1, 101, dtype=np.float32), 100)
    for out in outcomes(Shift(fraction=0.2, fill="silence"), value, 40):
        by = int(np.flatnonzero(out.samples_T)[0]) if out.samples_T[0] == 0 else 1 - int(out.samples_T[0])
        assert -20 <= by <= 20
        expected = np.zeros(100)
        for i in range(100):
            if 0 <= i - by < 100:
                expected[i] = value.samples_T[i - by]
        assert np.array_equal(out.samples_T, expected)
    for out in outcomes(Shift(fill="wrap"), value, 10):
        assert sorted(out.samples_T) == sorted(value.samples_T)


def test_excerpts_come_from_everywhere_with_the_same_chance():
    value = Sound(np.arange(12, dtype=np.float32), 10)
    starts = [int(out.samples_T[0]) for out in outcomes(RandomExcerpt(seconds=0.3), value, 3000)]
    counts = np.bincount(starts, minlength=10)
    assert len(counts) == 10
    assert np.abs(counts - 300).max() < 4 * np.sqrt(300)
    for out in outcomes(RandomExcerpt(seconds=0.3), value, 5):
        assert out.samples_T.tolist() == [out.samples_T[0] + i for i in range(3)]


def test_a_shorter_sound_is_laid_into_silence():
    value = Sound(np.ones(3, dtype=np.float32), 10)
    starts = set()
    for out in outcomes(RandomExcerpt(seconds=0.8), value, 60):
        assert len(out) == 8
        place = np.flatnonzero(out.samples_T)
        assert place.tolist() == list(range(place[0], place[0] + 3))
        starts.add(int(place[0]))
    assert starts == set(range(6))
    assert RandomExcerpt(seconds=0.8, pad=False)(value, coview.Rng()) is value


@pytest.mark.parametrize("order", range(1, 9))
def test_the_sections_of_a_band_pass_respond_as_scipys(order):
    """Also where the band is so wide that poles are real, and so narrow that they lie beside one another."""
    generator = np.random.default_rng(order)
    at = np.linspace(0.001, 3.14, 500)
    for low, high in [*np.sort(np.exp(generator.uniform(np.log(20), np.log(7600), (50, 2)))), (20.0, 7600.0)]:
        high = max(high, 1.05 * low)
        _, found = sosfreqz(sections_of(order, low, high, 16000), at)
        _, expected = sosfreqz(butter(order, (low, high), btype="bandpass", output="sos", fs=16000), at)
        assert np.abs(found - expected).max() < 1e-9


def test_a_band_is_kept_and_the_rest_fades():
    filtered = BandPass(low_hz=(400.0, 400.0), high_hz=(2000.0, 2000.0), order=4, p=1.0)
    for hertz, low, high in (
        (900, -0.5, 0.1),
        (400, -3.5, -2.5),
        (2000, -3.5, -2.5),
        (100, -200, -40),
        (7000, -200, -40),
    ):
        value = tone(hertz)
        out = filtered(value, coview.Rng())
        inner = slice(4000, -1000)
        assert low < rms_db(out.samples_T[inner]) - rms_db(value.samples_T[inner]) < high
    assert BandPass(low_hz=(3000.0, 3000.0), high_hz=(6000.0, 6000.0), p=1.0)(tone(rate=4000), coview.Rng()) == tone(
        rate=4000
    )
    with pytest.raises(ValueError, match="low_hz has to end below"):
        BandPass(low_hz=(100.0, 2000.0), high_hz=(1000.0, 4000.0))


def test_reverb_rings_on_by_60_db_in_its_time():
    click = np.zeros(16000, dtype=np.float32)
    click[0] = 1.0
    tails = [
        out.samples_T[1:] for out in outcomes(Reverb(decay=(0.4, 0.4), wet=(0.9, 0.9), p=1.0), Sound(click, 16000), 30)
    ]
    power = np.mean(np.square(tails, dtype=np.float64), axis=0)
    early, late = power[400:1200].mean(), power[400 + 3200 : 1200 + 3200].mean()  # 0.2 s later
    assert 10 * np.log10(late / early) == pytest.approx(-30, abs=1)
    assert np.abs(np.asarray(tails)[:, 6500:]).max() < 1e-6


def test_reverb_by_a_recorded_response_is_the_convolution(tmp_path):
    response = np.array([0.0, 0.0, 0.5, 0.25], dtype=np.float32)
    soundfile.write(tmp_path / "room.wav", response, 16000, subtype="FLOAT")
    value = noise(0.1)
    out = Reverb(folder=tmp_path, wet=(0.25, 0.25), p=1.0)(value, coview.Rng())
    unit = response / np.linalg.norm(response)
    expected = np.sqrt(0.75) * value.samples_T + np.sqrt(0.25) * np.convolve(value.samples_T, unit)[: len(value)]
    assert np.abs(out.samples_T - expected).max() < 1e-6


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("semitones", [-12.0, -4.0, 3.0, 12.0])
def test_pitch_moves_and_length_and_loudness_stay(semitones, rate):
    value = tone(440, rate)
    out = PitchShift(semitones=(semitones, semitones))(value, coview.Rng())
    cents = 1200 * np.log2(peak_hertz(out) / 440) - 100 * semitones
    assert abs(cents) < 10
    assert len(out) == len(value)
    inner = slice(len(value) // 8, -len(value) // 8)
    assert rms_db(out.samples_T[inner]) - rms_db(value.samples_T[inner]) == pytest.approx(0, abs=1)
    # what is not the tone, and would be heard as roughness, is well below it
    samples = out.samples_T[inner].astype(np.float64)
    angle = 2 * np.pi * peak_hertz(out) * np.arange(len(samples)) / rate
    basis = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    rest = samples - basis @ np.linalg.lstsq(basis, samples, rcond=None)[0]
    assert rms_db(rest) - rms_db(samples) < -15


@pytest.mark.parametrize("rate", [0.5, 0.8, 1.25, 2.0])
def test_tempo_changes_and_pitch_and_loudness_stay(rate):
    value = tone(440)
    out = TimeStretch(rate=(rate, rate))(value, coview.Rng())
    assert len(out) == pytest.approx(len(value) / rate, abs=2)
    assert abs(1200 * np.log2(peak_hertz(out) / 440)) < 5
    inner = slice(len(out) // 8, -len(out) // 8)
    assert rms_db(out.samples_T[inner]) - rms_db(value.samples_T) == pytest.approx(0, abs=1)


@pytest.mark.parametrize("rate", [0.5, 0.83, 1.255, 2.0])
def test_speed_moves_tempo_and_pitch_together(rate):
    """As resampling by torchaudio does, where the ratio is one of whole numbers."""
    value = tone(440)
    out = SpeedPerturbation(rate=(rate, rate))(value, coview.Rng())
    assert len(out) == pytest.approx(len(value) / rate, abs=2)
    assert abs(1200 * np.log2(peak_hertz(out) / 440 / rate)) < 1
    resampled = torchaudio.functional.resample(
        torch.from_numpy(value.samples_T), round(1000 * rate), 1000, lowpass_filter_width=64
    )
    inner = slice(len(out) // 8, -len(out) // 8)
    assert np.abs(out.samples_T[inner] - resampled.numpy()[: len(out)][inner]).max() < 3e-3


def test_speeds_fill_their_range_and_none_leaves_it():
    lengths = [len(out) for out in outcomes(SpeedPerturbation(rate=(0.8, 1.25)), tone(seconds=0.5), 300)]
    assert min(lengths) >= 6399
    assert max(lengths) <= 10001
    assert np.median(lengths) == pytest.approx(8000, rel=0.03)  # evenly in the logarithm
    assert len(set(lengths)) > 30


def test_what_is_beyond_the_new_band_is_filtered_and_not_mirrored():
    out = SpeedPerturbation(rate=(2.0, 2.0))(tone(6000), coview.Rng()).samples_T
    assert rms_db(out[800:-800]) < -60


def test_clicks_come_earlier_by_the_tempo():
    samples = np.zeros(16000, dtype=np.float32)
    samples[[4000, 8000, 12000]] = 1.0
    out = TimeStretch(rate=(1.25, 1.25))(Sound(samples, 16000), coview.Rng()).samples_T
    for place in (3200, 6400, 9600):
        nearby = np.abs(out[place - 1000 : place + 1000])
        centre = (nearby**2 * np.arange(2000)).sum() / (nearby**2).sum() - 1000
        assert abs(centre) < 300


@pytest.mark.parametrize(
    "make",
    [lambda: Gain(gain_db=(3.0, -3.0)), lambda: AddNoise(snr_db=(9.0, 1.0)), lambda: TimeStretch(rate=(1.2, 0.8)),
     lambda: SpeedPerturbation(rate=(1.2, 0.8)),
     lambda: PitchShift(semitones=(1.0, -1.0)), lambda: Reverb(decay=(0.5, 0.1)), lambda: Reverb(wet=(0.5, 0.1)),
     lambda: BandPass(low_hz=(300.0, 100.0)), lambda: BandPass(high_hz=(6000.0, 4000.0))],
)  # fmt: skip
def test_ranges_the_wrong_way_round_are_refused(make):
    with pytest.raises(ValueError, match=r"has to be \[smallest, largest\]"):
        make()
