"""Folders and tables of real files: classes, splits, groups, rates, the cache of what was resampled, what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

import coview
from coview_audio.datasets.audio_folder import AudioFolder
from coview_audio.decode import decode
from coview_audio.sound import resampled


def write(path: Path, seed: int = 0, rate: int = 8000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.2 * np.random.default_rng(seed).standard_normal(rate // 10), rate)
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache" / "resampled"


@pytest.fixture
def root(tmp_path):
    for name in ("dog", "rain"):
        for i, suffix in enumerate((".wav", ".flac", ".ogg", ".mp3", ".wav", ".wav", ".wav", ".wav", ".wav", ".wav")):
            write(tmp_path / "root" / name / f"{i}{suffix}", seed=i)
    (tmp_path / "root" / "dog" / "notes.txt").write_text("no sound")
    return tmp_path / "root"


def test_subfolders_are_classes(root):
    train, test = AudioFolder(root=root), AudioFolder(root=root, split="test")
    assert train.classes == test.classes == ("dog", "rain")
    assert (len(train), len(test)) == (16, 4)
    for dataset in (train, test):
        for i in range(len(dataset)):
            sample = dataset[i]
            assert sample["audio"].rate == 16000
            assert dataset.classes[sample.label] == sample.id.split("/")[0]
    ids = [dataset[i].id for dataset in (train, test) for i in range(len(dataset))]
    assert len(set(ids)) == 20
    assert train.version.startswith("20 files")


def test_own_splits_and_loose_files(root, tmp_path):
    for part, i in (("train", 0), ("train", 1), ("val", 2)):
        for name in ("dog", "rain"):
            write(tmp_path / "own" / part / name / f"{i}.wav")
    assert [len(AudioFolder(root=tmp_path / "own", split=split)) for split in ("train", "test")] == [4, 2]
    assert AudioFolder(root=tmp_path / "own", split="test")[0].id == "val/dog/2.wav"
    loose = AudioFolder(root=root / "dog")
    assert loose.classes is None
    assert loose[0].label is None


def test_a_table_gives_classes_and_groups(root, tmp_path):
    rows = [f"dog/{i}.wav,{'ab'[i % 2]},speaker {i // 2}" for i in (0, *range(4, 10))]
    table = tmp_path / "meta.csv"
    table.write_text("file,what,who\n" + "\n".join(rows) + "\n")
    columns = {"path_column": "file", "label_column": "what", "group_column": "who"}
    train, test = (
        AudioFolder(root=root, labels=table, split=split, test_fraction=0.3, **columns) for split in ("train", "test")
    )
    assert train.classes == ("a", "b")
    assert len(train) + len(test) == 7
    groups = [{dataset[i].group for i in range(len(dataset))} for dataset in (train, test)]
    assert not groups[0] & groups[1]
    for i in range(len(train)):
        number = int(Path(train[i].id).stem)
        assert train.classes[train[i].label] == "ab"[number % 2]


def test_a_missing_file_of_a_table_is_skipped_by_name(root, tmp_path):
    table = tmp_path / "meta.tsv"
    table.write_text("path\tlabel\ndog/0.wav\ta\ngone.wav\ta\ndog/4.wav\tb\ndog/5.wav\tb\n")
    parts = [AudioFolder(root=root, labels=table, split=split, test_fraction=0.25) for split in ("train", "test")]
    assert sum(map(len, parts)) == 4
    with pytest.raises(coview.SampleError, match="there is no such file") as caught:
        [part[i] for part in parts for i in range(len(part))]
    assert caught.value.what.endswith("gone.wav")


def test_is_resampled_once(root, cache):
    dataset = AudioFolder(root=root)
    first = dataset[0]["audio"]
    (kept,) = cache.rglob("*.npy")
    again = dataset[0]["audio"]
    assert again == first
    expected = resampled(decode(root / dataset[0].id), 16000).samples_T
    assert np.array_equal(first.samples_T, expected)
    np.save(kept, np.zeros(7, dtype=np.float32))
    assert len(dataset[0]["audio"]) == 7  # it is what is read
    kept.write_bytes(b"damaged")
    assert dataset[0]["audio"] == first
    path = root / dataset[0].id
    write(path, seed=99)
    os.utime(path, (1, 1))
    assert dataset[0]["audio"] != first  # a changed file is read again


def test_what_has_the_rate_already_is_not_kept(root, cache):
    AudioFolder(root=root, sample_rate=8000)[0]
    assert not cache.exists()


def test_works_where_nothing_can_be_kept(root, cache):
    cache.parent.mkdir(parents=True)
    cache.write_text("a file where the folder should be")
    assert len(AudioFolder(root=root)[0]["audio"]) > 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: {"root": root / "gone"}, "there is no such folder"),
        (lambda root: {"root": root / "dog" / "0.wav"}, "is a file"),
        (lambda root: {"root": (root / "empty").mkdir() or root / "empty"}, "it is empty"),
        (lambda root: {"root": root, "labels": root / "gone.csv"}, r"gone\.csv: no such file"),
        (lambda root: {"root": root, "labels": table(root, "path,lable\na,b\n")}, 'did you mean "lable"'),
        (lambda root: {"root": root, "labels": table(root, "path,label\n")}, "no rows"),
        (
            lambda root: {"root": root, "labels": table(root, "path,label\ndog/0.wav,\n")},
            r"meta.csv: none of the 1 rows has a class in \"label\"",
        ),
        (lambda root: {"root": root, "labels": table(root, b"path,label\n\xff,b\n")}, r"meta.csv:2: this is not utf-8"),
    ],
)
def test_what_is_no_data_is_refused_before_anything_else(root, make, message):
    (root / "single").mkdir()
    arguments = make(root)
    with pytest.raises(coview.CoviewError, match=message):
        AudioFolder(**arguments)


def table(root: Path, content: str | bytes) -> Path:
    path = root / "meta.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_unclear_classes_are_refused(root, tmp_path):
    write(root / "loose.wav")
    with pytest.raises(coview.CoviewError, match="not clear whether"):
        AudioFolder(root=root)
    write(tmp_path / "one" / "only" / "a.wav")
    with pytest.raises(coview.CoviewError, match="exactly one class"):
        AudioFolder(root=tmp_path / "one")
    for name in ("dog", "cat"):
        write(tmp_path / "own" / "train" / name / "a.wav")
    write(tmp_path / "own" / "test" / "dog" / "b.wav")
    write(tmp_path / "own" / "test" / "bird" / "b.wav")
    with pytest.raises(coview.CoviewError, match="the classes bird"):
        AudioFolder(root=tmp_path / "own", split="test")


@pytest.mark.parametrize("damage", ["half", "nothing", "other kind", "table", "archive"])
def test_a_kept_sound_that_is_damaged_is_made_again(root, cache, damage):
    expected = AudioFolder(root=root)[0]["audio"]
    (kept,) = cache.rglob("*.npy")
    whole = kept.read_bytes()
    if damage == "half":
        kept.write_bytes(whole[: len(whole) // 2])
    elif damage == "nothing":
        kept.write_bytes(b"")
    elif damage == "archive":
        with kept.open("wb") as file:
            np.savez(file, a=np.zeros(3))
    else:
        np.save(kept, np.zeros(3) if damage == "other kind" else np.zeros((3, 3), dtype=np.float16))
    assert AudioFolder(root=root)[0]["audio"] == expected
    assert kept.read_bytes() == whole


def test_what_is_known_of_a_sound_is_read_without_it(root):
    data = AudioFolder(root=root)
    whole = data[2]
    (root / whole.id).unlink()
    found = data.read_modalities(2, ())
    assert (found.id, found.label, dict(found.values)) == (whole.id, whole.label, {})
