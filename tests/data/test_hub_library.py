"""What coview takes of the insides of the Hugging Face library of data sets: that it is there, and does what it did."""

from __future__ import annotations

import sys
import wave

import pytest

import coview
from coview.data.hub_library import class_names, fingerprint, kind_of, undecoded

datasets = pytest.importorskip("datasets")


@pytest.fixture
def sounds(tmp_path):
    """A folder of sound files, which the library reads as a column of its type ``Audio``."""
    folder = tmp_path / "sounds"
    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True)
        for number in range(5):
            with wave.open(str(folder / label / f"{number}.wav"), "wb") as file:
                file.setparams((1, 2, 8000, 0, "NONE", ""))
                file.writeframes(bytes([number]) * 800)
    return folder


def test_the_fingerprint_says_whether_the_rows_are_the_same(tmp_path):
    """The library has no public digest of the rows; the version of a data set is made of this one."""
    for name, texts in (("one", ["a", "b"]), ("same", ["a", "b"]), ("other", ["a", "c"])):
        (tmp_path / name).mkdir()
        datasets.Dataset.from_dict({"text": texts}).to_parquet(tmp_path / name / "train.parquet")
    saved = {name: datasets.Dataset.from_parquet(str(tmp_path / name / "train.parquet")) for name in ("one", "other")}
    again = datasets.Dataset.from_parquet(str(tmp_path / "one" / "train.parquet"))
    assert fingerprint(saved["one"]) == fingerprint(again)
    assert fingerprint(saved["one"]) != fingerprint(saved["other"])
    assert len(fingerprint(again)) >= 12


def test_sound_files_are_read_without_the_librarys_codec(sounds, monkeypatch):
    """``datasets.Audio.encode_example`` asks for torchcodec, even for files that nobody decodes."""
    monkeypatch.setitem(sys.modules, "torchcodec", None)
    monkeypatch.setitem(sys.modules, "torchcodec.encoders", None)
    own = datasets.Audio.encode_example
    with pytest.raises(ImportError, match="torchcodec"):
        own(datasets.Audio(), "a.wav")  # where this no longer fails, coview need not exchange it
    rows = coview.HubRows(str(sounds), split="train")
    assert datasets.Audio.encode_example is own
    assert rows.kind("audio") == "Audio"
    assert {rows.file(rows[i], "audio").name for i in range(len(rows))} <= {f"{number}.wav" for number in range(5)}
    assert rows.classes == ("cat", "dog")


@pytest.mark.parametrize("kind", ["Image", "Audio", "Video", "Pdf"])
def test_every_kind_of_file_is_left_undecoded(kind):
    file = {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}
    table = datasets.Dataset.from_dict(
        {"x": [{"bytes": b"no such file", "path": None}]}, features=datasets.Features({"x": file})
    ).cast_column("x", getattr(datasets, kind)())
    assert table.features["x"].decode is True
    assert undecoded(table)[0]["x"] == {"bytes": b"no such file", "path": None}
    assert kind_of(undecoded(table).features["x"]) == kind


def test_the_type_of_a_column():
    assert kind_of(datasets.Value("int64")) == "int64"
    assert kind_of(datasets.ClassLabel(names=["a", "b"])) == "ClassLabel"
    assert class_names(datasets.ClassLabel(names=["a", "b"])) == ("a", "b")
    assert class_names(datasets.Value("string")) == ()
