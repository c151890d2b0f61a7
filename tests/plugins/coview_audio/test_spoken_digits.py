"""Spoken digits: made once and the same each time, no voice on both sides, told apart by what is said."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest

from coview_audio.datasets import spoken_digits
from coview_audio.datasets.espeak import Word, speak
from coview_audio.datasets.spoken_digits import SpokenDigits
from forked import Forked


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("data")
        patch.setenv("COVIEW_DATA", str(folder))
        yield folder


def test_shape_balance_and_no_voice_on_both_sides(cache):
    train, test = SpokenDigits(split="train"), SpokenDigits(split="test")
    assert (len(train), len(test)) == (2880, 960)
    voices = []
    for split, count in ((train, 24), (test, 8)):
        samples = [split[i] for i in range(len(split))]
        assert np.bincount([s.label for s in samples]).tolist() == [len(split) // 10] * 10
        voices.append({s.group for s in samples})
        assert len(voices[-1]) == count
        lengths = [s["audio"].seconds for s in samples]
        assert 0.1 < min(lengths) < max(lengths) < 1.0
        assert min(np.abs(s["audio"].samples_T).max() for s in samples) > 0.05
    assert not voices[0] & voices[1]
    ids = [train[i].id for i in range(len(train))] + [test[i].id for i in range(len(test))]
    assert len(set(ids)) == 3840
    assert len({train[i]["audio"].samples_T.tobytes() for i in range(len(train))}) > 2800


@pytest.mark.usefixtures("forks")
def test_is_made_once_and_the_same_in_another_process(cache, tmp_path):
    here = SpokenDigits()
    made = [(path, path.stat().st_mtime_ns) for path in (cache / "spoken_digits").glob("*.npz")]
    SpokenDigits()
    assert [(path, path.stat().st_mtime_ns) for path in (cache / "spoken_digits").glob("*.npz")] == made
    code = "from coview_audio.datasets.spoken_digits import SpokenDigits; print(SpokenDigits().version)"
    status, out, err = Forked(["python", "-c", code], tmp_path, environment={"COVIEW_DATA": str(tmp_path)}).finish()
    assert status == 0, err
    assert out.strip() == here.version


def test_a_damaged_file_is_made_again(cache, tmp_path, monkeypatch):
    (whole,) = (cache / "spoken_digits").glob("*.npz")
    kept = tmp_path / "spoken_digits" / whole.name
    kept.parent.mkdir()
    with np.load(whole) as spoken:  # as it would be with one sample changed
        changed = {**spoken, "samples": spoken["samples"] ^ (np.arange(spoken["samples"].size) == 9)}
    np.savez(kept, **changed)
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path))
    made = []

    def make(words, path):
        made.append(path)
        shutil.copyfile(whole, path)

    monkeypatch.setattr(spoken_digits, "_make", make)
    for damage in (None, slice(None, 900), slice(0)):
        if damage is not None:
            kept.write_bytes(whole.read_bytes()[damage])
        assert SpokenDigits()[0]["audio"] == SpokenDigits()[0]["audio"]
    assert len(made) == 3
    assert kept.read_bytes() == whole.read_bytes()


def test_other_rates(cache):
    for rate in (8000, 22050):
        sound = SpokenDigits(sample_rate=rate)[3]["audio"]
        assert sound.rate == rate
        assert sound.seconds == pytest.approx(SpokenDigits()[3]["audio"].seconds, abs=0.001)


def test_an_unknown_voice_is_a_bug_and_not_silence(tmp_path):
    with pytest.raises(subprocess.CalledProcessError):
        speak([Word("one", "no-such-voice", 150, 50)], tmp_path)


def test_says_that_it_is_synthetic(registry):
    assert "synthetic" in registry.resolve("dataset", "spoken_digits").component.summary
    with pytest.raises(ValueError, match="split has to be"):
        SpokenDigits(split="dev")
