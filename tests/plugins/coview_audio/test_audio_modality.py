"""Batches by hand, raw features against librosa, previews as a real event file, markup that decodes to the sound."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

import coview
from coview_audio.encoders.log_mel import LogMel, LogMelSettings
from coview_audio.modality import AudioModality
from coview_audio.sound import Sound


def noise(length: int, rate: int = 16000, seed: int = 0) -> Sound:
    return Sound((0.1 * np.random.default_rng(seed).standard_normal(length)).astype(np.float32), rate)


def test_shorter_sounds_are_followed_by_zeros():
    values = [noise(5), noise(1, seed=1), noise(3, seed=2)]
    batch = AudioModality().collate(values)
    assert batch["waveform_NT"].dtype == torch.float32
    assert batch["waveform_NT"].shape == (3, 5)
    assert batch["lengths_N"].tolist() == [5, 1, 3]
    assert batch["rate_N"].tolist() == [16000] * 3
    for row, value in enumerate(values):
        assert batch["waveform_NT"][row].tolist() == [*value.samples_T.tolist(), *[0] * (5 - len(value))]


def test_other_rates_are_resampled():
    batch = AudioModality().collate([noise(8000, 8000), noise(44100, 44100), noise(16000)])
    assert batch["lengths_N"].tolist() == pytest.approx([16000] * 3, abs=2)


def test_of_a_longer_sound_the_middle_is_taken():
    value = Sound(np.arange(16, dtype=np.float32), 1000)
    batch = AudioModality(sample_rate=1000, seconds=0.01).collate([value, Sound(np.ones(4, dtype=np.float32), 1000)])
    assert batch["waveform_NT"][0].tolist() == list(range(3, 13))
    assert batch["lengths_N"].tolist() == [10, 4]


def test_every_sound_is_brought_to_one_level_and_silence_stays_silence():
    loud, soft = noise(3000), Sound(noise(500, seed=1).samples_T / 50, 16000)
    silent = Sound(np.zeros(40, dtype=np.float32), 16000)
    batch = AudioModality(rms=0.1).collate([loud, soft, silent])
    for row, value in ((0, loud), (1, soft)):
        expected = 0.1 * value.samples_T / np.linalg.norm(value.samples_T) * np.sqrt(len(value))
        np.testing.assert_allclose(batch["waveform_NT"][row, : len(value)].numpy(), expected, rtol=1e-5)
    assert not batch["waveform_NT"][2].any()
    of_the_middle = AudioModality(rms=0.1, seconds=0.01).collate([loud])["waveform_NT"][0]
    assert float(of_the_middle[:160].square().mean().sqrt()) == pytest.approx(0.1, rel=1e-5)


def test_numbers_beyond_all_bounds_are_refused():
    with np.errstate(over="ignore"):
        value = Sound(np.full(3, 1e38, dtype=np.float32) * 10, 16000)
    with pytest.raises(coview.CoviewError, match="not finite"):
        AudioModality().collate([value])


def test_summary_is_of_all_frames_of_all_sounds():
    values = [noise(16000), noise(4000, seed=1)]
    front_end = LogMel(LogMelSettings())
    mels = [front_end(torch.from_numpy(v.samples_T)[None], torch.tensor([len(v)]))[0].numpy() for v in values]
    every = np.concatenate([mel.ravel() for mel in mels])
    expected = f"log-mel of 64 bands at 16,000 Hz: mean {every.mean():.2f}, std {every.std():.2f} (2 sounds)"
    assert AudioModality().summary(values) == expected


def test_describe():
    assert AudioModality().describe(noise(20800)) == "1.30 s at 16 kHz"


def test_log_mel_is_librosas():
    librosa = pytest.importorskip("librosa")
    value = noise(8000)
    mel_NFT, frames_N = LogMel(LogMelSettings())(torch.from_numpy(value.samples_T)[None], torch.tensor([8000]))
    power = librosa.feature.melspectrogram(
        y=value.samples_T, sr=16000, n_fft=1024, hop_length=160, n_mels=64, fmin=60, fmax=7800, pad_mode="constant",
        htk=True, norm=None,
    )  # fmt: skip
    assert frames_N.tolist() == [51]
    assert mel_NFT.shape == (1, 64, 51)
    assert np.abs(mel_NFT[0].numpy() - np.log(power + np.finfo(np.float32).eps)).max() < 1e-3


def test_padding_changes_no_frame():
    front_end = LogMel(LogMelSettings())
    short = torch.from_numpy(noise(3333).samples_T)
    padded = torch.nn.functional.pad(short, (0, 5000))
    alone, frames = front_end(short[None], torch.tensor([3333]))
    among, _ = front_end(padded[None], torch.tensor([3333]))
    assert torch.allclose(alone, among[..., : int(frames)], atol=1e-5)


def test_raw_features_are_mean_and_spread_of_each_band():
    modality = AudioModality()
    values = [noise(8000), noise(4000, 8000, seed=1), Sound(np.zeros(5, dtype=np.float32), 16000)]
    raw = modality.fit_raw(values)(values)
    assert raw.shape == (3, 128)
    assert raw.dtype == np.float32
    mel = LogMel(LogMelSettings())(torch.from_numpy(values[0].samples_T)[None], torch.tensor([8000]))[0][0].numpy()
    assert np.allclose(raw[0], np.concatenate([mel.mean(1), mel.std(1)]), atol=1e-5)
    assert np.isfinite(raw).all()
    # each value alone as it is among others
    assert np.array_equal(modality.fit_raw(values)(values[1:2])[0], raw[1])


def test_preview_is_pictures_and_sounds_in_a_real_event_file(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    rows = [[noise(1600, seed=2 * i + j) for j in range(2)] for i in range(3)]
    writer = SummaryWriter(str(tmp_path))
    AudioModality().preview(writer, "views", rows, 7)
    writer.close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    (event,) = events.Images("views")
    assert event.step == 7
    grid = np.asarray(Image.open(io.BytesIO(event.encoded_image_string)))
    assert grid.shape == (3 * (64 + 2) + 2, 2 * (11 + 2) + 2, 3)
    tags = {f"views/{i}/{j}" for i in range(3) for j in range(2)}
    assert set(events.Tags()["audio"]) == tags
    heard, rate = soundfile.read(io.BytesIO(events.Audio("views/1/0")[0].encoded_audio_string))
    assert rate == 16000
    assert np.abs(heard - rows[1][0].samples_T).max() < 2 / 32768


@pytest.mark.parametrize("rate", [8000, 44100])
def test_html_carries_the_sound(rate):
    value = noise(3000, rate)
    value.samples_T[7] = 3.0  # clipped in what is played
    markup = AudioModality().to_html(value)
    wav = base64.b64decode(re.search(r"audio/wav;base64,([^\"]+)", markup).group(1))
    heard, heard_rate = soundfile.read(io.BytesIO(wav))
    assert heard_rate == rate
    assert np.abs(heard - value.samples_T.clip(-1, 1)).max() < 2 / 32768
    picture = Image.open(io.BytesIO(base64.b64decode(re.search(r"image/png;base64,([^\"]+)", markup).group(1))))
    assert picture.height == 64
    assert f"at {rate / 1000:g} kHz" in markup


def test_a_low_tone_is_drawn_below_a_high_one():
    def loudest_row(hertz):
        value = Sound(np.sin(2 * np.pi * hertz * np.arange(8000) / 16000).astype(np.float32), 16000)
        return int(AudioModality()._spectrogram(value).sum(axis=(1, 2)).argmax())

    assert loudest_row(200) > loudest_row(1000) > loudest_row(5000)
