"""Sounds of a Hugging Face data set, from what its library writes."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

import coview
from coview_audio.sound import Sound, resampled

datasets = pytest.importorskip("datasets")

RATE = 8000


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache" / "resampled"


def wave(row):
    return (0.2 * np.random.default_rng(row).standard_normal(RATE // 10)).clip(-1, 1)


def encoded(row, kind="WAV", **how):
    buffer = io.BytesIO()
    soundfile.write(buffer, wave(row), RATE, format=kind, **how)
    return buffer.getvalue()


def table(rows, broken=(), silent=()):
    file = {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}
    features = datasets.Features(
        {"sound": file, "what": datasets.ClassLabel(names=["even", "odd"]), "who": datasets.Value("string")}
    )
    sounds = [
        None
        if row in silent
        else {"bytes": b"no sound" if row in broken else encoded(row, subtype="FLOAT"), "path": "a"}
        for row in rows
    ]
    data = {"sound": sounds, "what": [row % 2 for row in rows], "who": [f"s{row // 4}" for row in rows]}
    # declared as sounds afterwards: the library would want a codec to write them
    return datasets.Dataset.from_dict(data, features=features).cast_column("sound", datasets.Audio())


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "sounds"
    parts = {"train": table(range(40), broken=(3,), silent=(4,)), "test": table(range(40, 60))}
    datasets.DatasetDict(parts).save_to_disk(path)
    return path


def build(registry, folder, split="train", **parameters):
    return registry.build("dataset", f"audio/hub:{folder}", supplied={"split": split}, **parameters)


def test_sounds_labels_and_ids(registry, folder, cache):
    train, test = (build(registry, folder, split, sample_rate=RATE) for split in ("train", "test"))
    assert isinstance(train, coview.Dataset)
    assert (len(train), len(test), train.classes) == (40, 20, ("even", "odd"))
    assert train[5]["audio"].rate == RATE
    assert np.array_equal(train[5]["audio"].samples_T, wave(5).astype(np.float32))
    assert (train[5].label, train[5].id, train[5].group) == (1, "train/5", None)
    assert np.array_equal(test[1]["audio"].samples_T, wave(41).astype(np.float32))
    assert not cache.exists()


def test_what_cannot_be_read_is_named(registry, folder):
    train = build(registry, folder)
    with pytest.raises(coview.SampleError, match="train/3: cannot be read as a sound"):
        train[3]
    with pytest.raises(coview.SampleError, match="train/4: has no sound"):
        train[4]


def test_bytes_are_resampled_once(registry, folder, cache):
    train = build(registry, folder, sample_rate=16000)
    first = train[7]["audio"]
    expected = resampled(Sound.of(wave(7).astype(np.float32), RATE), 16000).samples_T
    assert first.rate == 16000
    assert np.array_equal(first.samples_T, expected)
    (kept,) = cache.rglob("*.npy")
    np.save(kept, np.zeros(9, dtype=np.float32))
    assert len(train[7]["audio"]) == 9  # it is what is read
    assert len(train[8]["audio"]) == 1600


def test_no_speaker_is_on_both_sides(registry, tmp_path):
    table(range(40)).save_to_disk(tmp_path / "whole")
    train, test = (build(registry, tmp_path / "whole", split, group="who") for split in ("train", "test"))
    speakers = [{data[i].group for i in range(len(data))} for data in (train, test)]
    assert not speakers[0] & speakers[1]
    assert speakers[0] | speakers[1] == {f"s{i}" for i in range(10)}
    assert len(test) == 8


def test_the_first_ones_streamed(registry, folder):
    data = build(registry, folder, first=3, sample_rate=RATE)
    assert len(data) == 3
    assert np.array_equal(data[2]["audio"].samples_T, wave(2).astype(np.float32))


@pytest.mark.parametrize("first", [None, 8])
def test_a_folder_of_files(registry, tmp_path, first):
    root = tmp_path / "files"
    for row in range(8):
        path = root / "train" / ("ab"[row % 2])
        path.mkdir(parents=True, exist_ok=True)
        (path / f"{row}.flac").write_bytes(encoded(row, "FLAC"))
    data = build(registry, root, test_fraction=0.25, sample_rate=RATE, first=first)
    assert data.classes == ("a", "b")
    assert len(data) == 6
    for i in range(6):
        heard = data[i]["audio"].samples_T
        (row,) = [row for row in range(8) if np.allclose(heard, wave(row), atol=2**-14)]
        assert data[i].label == row % 2


def test_columns_are_found_or_named(registry, folder, tmp_path):
    with pytest.raises(coview.CoviewError, match='no column "sounds", did you mean "sound"'):
        build(registry, folder, audio="sounds")
    datasets.Dataset.from_dict({"x": [1, 2, 3, 4, 5]}).save_to_disk(tmp_path / "none")
    with pytest.raises(coview.CoviewError, match="has no column of sounds"):
        build(registry, tmp_path / "none")


def test_sounds_at_the_scale_of_integers_are_refused_until_it_is_said(registry, tmp_path, monkeypatch):
    quiet = wave

    def loud(row):
        return quiet(row) * 2**23

    monkeypatch.setitem(globals(), "wave", loud)
    table(range(20)).save_to_disk(tmp_path / "loud")
    with pytest.raises(coview.CoviewError, match="float samples are as large as integers") as caught:
        build(registry, tmp_path / "loud", sample_rate=RATE)
    assert "full_scale = 8388608" in caught.value.hint
    data = build(registry, tmp_path / "loud", sample_rate=RATE, full_scale=2.0**23)
    row = int(data[0].id.split("/")[1])
    assert np.allclose(data[0]["audio"].samples_T, quiet(row), atol=1e-6)
