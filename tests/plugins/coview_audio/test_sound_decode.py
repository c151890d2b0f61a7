"""What becomes of every kind of sound: channels, depths, rates, silence, clipping, one sample, NaN, broken files."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import soundfile

import coview
from coview_audio import sound
from coview_audio.decode import decode
from coview_audio.sound import Sound, resampled


def tone(hertz: float = 440.0, rate: int = 16000, seconds: float = 0.5) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)).astype(np.float32)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (np.array([0, 16384, -32768], dtype=np.int16), [0, 0.5, -1]),
        (np.array([0, 2**30, -(2**31)], dtype=np.int32), [0, 0.5, -1]),
        (np.array([128, 192, 0], dtype=np.uint8), [0, 0.5, -1]),
        (np.array([0.25, -0.5]), [0.25, -0.5]),
        (np.array([1.5, -3.0], dtype=np.float32), [1.5, -3.0]),  # beyond full scale is kept
        (np.array([[1.0, 0.0], [0.5, -0.5]], dtype=np.float32), [0.5, 0.0]),  # stereo is averaged
        (np.zeros(3, dtype=np.float32), [0, 0, 0]),
        (np.array([0.1], dtype=np.float32), [0.1]),
    ],
    ids=["int16", "int32", "uint8", "float64", "clipping", "stereo", "silence", "one sample"],
)
def test_samples_of_any_kind(samples, expected):
    sound = Sound.of(samples, 8000)
    assert sound.samples_T.dtype == np.float32
    assert sound.samples_T.tolist() == pytest.approx(expected)
    assert len(sound) == len(expected)
    assert sound.seconds == len(expected) / 8000


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused(bad):
    with pytest.raises(coview.SampleError, match="thing: it has samples that are not finite"):
        Sound.of(np.array([0.0, bad]), 8000, what="thing")


def test_no_samples_are_refused():
    with pytest.raises(coview.SampleError, match="no samples"):
        Sound.of(np.zeros((0, 2)), 8000)


def test_a_sound_is_made_by_of():
    with pytest.raises(TypeError, match=r"Sound\.of"):
        Sound(np.zeros((2, 5), dtype=np.float32), 8000)


@pytest.mark.parametrize(("suffix", "subtype"), [(".wav", "PCM_16"), (".flac", "PCM_16"), (".wav", "FLOAT")])
def test_lossless_formats_give_the_samples_back(tmp_path, suffix, subtype):
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, tone(), 16000, subtype=subtype)
    sound = decode(path)
    assert sound.rate == 16000
    assert np.abs(sound.samples_T - tone()).max() <= (0 if subtype == "FLOAT" else 1 / 32768)


@pytest.mark.parametrize("suffix", [".ogg", ".mp3"])
def test_lossy_formats_sound_the_same(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, tone(seconds=1.0), 16000)
    samples_T = decode(path).samples_T
    spectrum = np.abs(np.fft.rfft(samples_T))
    assert np.argmax(spectrum) * 16000 / len(samples_T) == pytest.approx(440, abs=2)
    assert np.sqrt(np.mean(samples_T**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.1)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_resampling_keeps_the_tone_and_the_length_in_seconds(tmp_path, rate):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([tone(rate=rate)] * 2, axis=1), rate, subtype="FLOAT")
    sound = decode(path, 16000)
    assert sound.rate == 16000
    assert sound.seconds == pytest.approx(0.5, abs=1e-3)
    inner = slice(800, -800)
    assert np.abs(sound.samples_T[inner] - tone()[: len(sound)][inner]).max() < 1e-3


def test_resampling_does_not_alias():
    high = Sound(tone(hertz=7000), 16000)
    low = resampled(high, 8000)
    assert np.abs(low.samples_T[400:-400]).max() < 1e-3
    assert resampled(high, 16000) is high


def test_one_sample_can_be_resampled():
    assert len(resampled(Sound(np.ones(1, dtype=np.float32), 44100), 8000)) == 1


def test_files_that_cannot_be_read_say_why(tmp_path):
    good = tmp_path / "good.wav"
    soundfile.write(good, tone(), 16000)
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "cut.wav").write_bytes(good.read_bytes()[:30])
    soundfile.write(tmp_path / "silent.wav", np.zeros(0), 16000)
    nan = tone()
    nan[5] = np.nan
    soundfile.write(tmp_path / "nan.wav", nan, 16000, subtype="FLOAT")
    for name, reason in {
        "gone.wav": "there is no such file",
        "text.wav": "cannot be read as a sound",
        "empty.wav": "is empty",
        "cut.wav": "cut",
        "silent.wav": "no samples",
        "nan.wav": "not finite",
    }.items():
        with pytest.raises(coview.SampleError, match=reason) as caught:
            decode(tmp_path / name)
        assert caught.value.what == str(tmp_path / name)


def test_a_truncated_flac_is_refused(tmp_path):
    path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 50000), 16000)
    path.write_bytes(path.read_bytes()[:40000])
    with pytest.raises(coview.SampleError):
        decode(path)


def wav(rate, samples):
    """A WAV file of silence that says any rate."""
    data = bytes(2 * samples)
    form = struct.pack("<IHHIIHH", 16, 1, 1, rate, 2 * rate, 2, 16)
    return (
        b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + form + b"data" + struct.pack("<I", len(data)) + data
    )


def test_a_rate_that_would_make_a_sound_too_large_is_refused(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(wav(1, 150_000))
    assert len(decode(path)) == 150_000
    with pytest.raises(coview.SampleError, match=r"a\.wav of 1 Hz at 16000 Hz: has 2,400,000,000 samples, more than"):
        decode(path, 16000)
    with pytest.raises(coview.SampleError, match=r"of 1 Hz at 16000 Hz"):
        resampled(decode(path), 16000)


def test_a_file_with_too_many_samples_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros((2000, 2)), 16000)
    monkeypatch.setattr(sound, "LARGEST", 3999)
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *given, **options: pytest.fail("it was read"))
    with pytest.raises(coview.SampleError, match=r"a\.wav: has 4,000 samples, more than 3,999"):
        decode(path)
