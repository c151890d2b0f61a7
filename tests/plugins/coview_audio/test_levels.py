"""What files say of all: floats at the scale of integers, rates that are lower than what is asked for."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from coview_audio.datasets.audio_folder import AudioFolder


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path / "cache"))

    def write(scale=1.0, subtype="FLOAT", rate=16000, quiet=1.0):
        for name in "ab":
            for i in range(6):
                path = tmp_path / "root" / name / f"{i}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                wave = 0.5 * np.sin(np.arange(1600) * (0.1 + 0.02 * i)) * (quiet if i else 1.0)
                soundfile.write(path, (wave * scale).astype(np.float32), rate, subtype=subtype)
        return tmp_path / "root"

    return write


@pytest.mark.parametrize(("bits", "scale"), [(16, 2.0**15), (24, 2.0**23), (32, 2.0**31)])
@pytest.mark.parametrize("rate", [16000, 44100])
def test_floats_at_the_scale_of_integers_are_divided_by_it(write, bits, scale, rate):
    expected = AudioFolder(root=write(rate=rate))
    expected = [expected[row]["audio"].samples_T for row in range(len(expected))]
    data = AudioFolder(root=write(scale=scale, rate=rate, quiet=1.0))
    assert f"they are divided by {scale:,.0f}" in data.notes[0]
    for row, samples in enumerate(expected):
        assert np.allclose(data[row]["audio"].samples_T, samples, atol=1e-6)


def test_a_quiet_file_is_divided_by_what_the_loud_ones_need(write):
    data = AudioFolder(root=write(scale=2.0**23, quiet=1e-4))
    levels = [np.abs(data[row]["audio"].samples_T).max() for row in range(len(data))]
    assert min(levels) == pytest.approx(0.5e-4, rel=0.01)


def test_they_are_left_as_they_are_where_that_is_asked_for(write):
    data = AudioFolder(root=write(scale=2.0**23), full_scale=1.0)
    assert data.notes == ()
    assert np.abs(data[0]["audio"].samples_T).max() == pytest.approx(0.5 * 2**23, rel=0.01)


def test_a_peak_above_full_scale_is_none_of_it(write):
    assert AudioFolder(root=write(scale=3.0)).notes == ()
    assert AudioFolder(root=write(scale=1.0, subtype="PCM_16")).notes == ()


def test_a_lower_rate_is_said_with_the_setting_that_avoids_it(write):
    root = write(rate=8000)
    (note,) = AudioFolder(root=root).notes
    assert note.startswith("sounds of 8,000 Hz are brought to 16,000 Hz, which adds nothing above 4,000 Hz")
    assert "modality.sample_rate=8000" in note
    assert AudioFolder(root=root, sample_rate=8000).notes == ()
    assert AudioFolder(root=root, sample_rate=4000).notes == ()
