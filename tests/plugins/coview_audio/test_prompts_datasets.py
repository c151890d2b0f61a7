"""Tux Paint's words and Asterisk's prompts: on small trees of the same form, and on the real ones where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

import coview
from coview.data import resources
from coview_audio.datasets import asterisk, tuxpaint
from coview_audio.datasets.asterisk import Asterisk
from coview_audio.datasets.tuxpaint import Tuxpaint


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path / "cache"))


def write(path: Path, seed: int, rate: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.2 * np.random.default_rng(seed).standard_normal(rate // 20), rate)


@pytest.fixture
def stamps(tmp_path):
    root, seed = tmp_path / "stamps", 0
    for category, words in {
        "animals/birds": ("hen", "owl", "jay", "kiwi"),
        "food": ("pear", "plum", "corn", "leek"),
    }.items():
        for word in words:
            for language in ("fr", "ru", "el", "es", "da"):
                seed += 1
                write(root / category / f"{word}_desc_{language}.ogg", seed, 44100)
            (root / category / f"{word}.txt").write_text("A thing.")
    # the same recording for two stamps makes them one word
    (root / "food" / "plum_desc_fr.ogg").write_bytes((root / "food" / "pear_desc_fr.ogg").read_bytes())
    write(root / "food" / "odd_desc_ml.ogg", 999, 44100)
    return root


def samples(dataset):
    return [dataset[i] for i in range(len(dataset))]


@pytest.mark.parametrize(
    ("label", "classes", "other"),
    [
        ("language", ("da", "el", "es", "fr", "ru"), "word"),
        ("category", ("animals", "food"), "word"),
        ("word", None, "language"),
    ],
)
def test_words_and_languages_do_not_cross(stamps, label, classes, other):
    smallest = 3 if label == "word" else 6
    train, test = (
        Tuxpaint(split=split, label=label, root=stamps, smallest_class=smallest) for split in ("train", "test")
    )
    if classes:
        assert train.classes == classes
    else:
        assert len(train.classes) == 7  # pear and plum are one
    assert len(train) + len(test) == 39 + (label == "category")
    groups = [{sample.group for sample in samples(dataset)} for dataset in (train, test)]
    assert groups[0]
    assert groups[1]
    assert not groups[0] & groups[1]
    for sample in samples(train):
        language = sample.id.split("_desc_")[1].split(".")[0]
        name = train.classes[sample.label]
        assert {"language": language, "category": sample.id.split("/")[0]}.get(label, name) == name
        assert sample["audio"].rate == 16000
        if other == "language":
            assert sample.group == language
    assert train.version == test.version


def test_of_equal_recordings_one_is_kept_and_their_stamps_are_one_word(stamps):
    both = [
        sample
        for split in ("train", "test")
        for sample in samples(Tuxpaint(split=split, root=stamps, smallest_class=2))
    ]
    assert "food/pear_desc_fr.ogg" in {sample.id for sample in both}
    assert "food/plum_desc_fr.ogg" not in {sample.id for sample in both}
    words = {sample.id.split("_desc")[0]: sample.group for sample in both}
    assert words["food/plum"] == words["food/pear"]
    assert len(set(words.values())) == 7


def test_a_folder_without_descriptions_is_refused(tmp_path):
    with pytest.raises(coview.CoviewError, match="no spoken descriptions"):
        Tuxpaint(root=tmp_path)
    with pytest.raises(coview.CoviewError, match="no prompts"):
        Asterisk(root=tmp_path)


def test_what_is_not_there_is_asked_for_by_the_command_that_fetches_it(monkeypatch):
    monkeypatch.setattr(resources, "load_plugins", coview.Registry)  # whatever this system has installed
    for factory, name in ((Tuxpaint, "tuxpaint_stamps"), (Asterisk, "asterisk_sounds")):
        with pytest.raises(coview.CoviewError) as caught:
            factory()
        assert caught.value.hint == f"coview data fetch {name}"


def test_a_system_with_the_prompts_of_some_languages_is_told_to_fetch_them_all(tmp_path):
    write(tmp_path / "cache" / "asterisk_sounds" / "fr_CA" / "hello.wav", 1, 8000)
    with pytest.raises(coview.CoviewError, match="has 1 of 5 speakers") as caught:
        Asterisk()
    assert caught.value.hint == "coview data fetch asterisk_sounds --again"


@pytest.mark.parametrize(("label", "group"), [("speaker", "prompt"), ("prompt", "speaker")])
def test_prompts_and_speakers_do_not_cross(tmp_path, label, group):
    speakers, prompts = [f"s{i}" for i in range(5)], ["hello", "digits/1", "digits/2", "letters/a", "bye", "beep"]
    for i, speaker in enumerate(speakers):
        for j, prompt in enumerate(prompts):
            write(tmp_path / speaker / f"{prompt}.wav", 10 * i + j, 8000)
        write(tmp_path / speaker / "silence" / "1.wav", 0, 8000)
    train, test = (Asterisk(split=split, label=label, root=tmp_path) for split in ("train", "test"))
    assert len(train) + len(test) == 30
    assert train.classes == tuple(sorted(speakers if label == "speaker" else prompts))
    groups = [{sample.group for sample in samples(dataset)} for dataset in (train, test)]
    assert not groups[0] & groups[1]
    assert groups[0] | groups[1] == set(prompts if group == "prompt" else speakers)
    for sample in samples(train):
        speaker, prompt = sample.id.split("/", 1)
        assert train.classes[sample.label] == (speaker if label == "speaker" else prompt.removesuffix(".wav"))


def test_fetching_takes_the_folders_out_of_the_packages(tmp_path, monkeypatch):
    from contextlib import contextmanager

    asked = []

    @contextmanager
    def files(*packages):
        asked.append(packages)
        write(tmp_path / "usr/share/tuxpaint/stamps/food/a_desc_fr.ogg", 0, 44100)
        write(tmp_path / "usr/share/asterisk/sounds/en/a.wav", 0, 8000)
        yield tmp_path

    monkeypatch.setattr(coview, "debian_files", files, raising=False)
    for fetch, name, expected in (
        (tuxpaint.fetch, "tux", "food/a_desc_fr.ogg"),
        (asterisk.fetch, "asterisk", "en/a.wav"),
    ):
        (tmp_path / name).mkdir()
        fetch(tmp_path / name)
        assert (tmp_path / name / expected).is_file()
    assert [len(packages) for packages in asked] == [1, 5]


@pytest.mark.slow
def test_the_real_words(monkeypatch):
    monkeypatch.delenv("COVIEW_DATA")
    try:
        train, test = Tuxpaint(), Tuxpaint(split="test")
    except coview.CoviewError:
        pytest.skip("coview data fetch tuxpaint_stamps")
    assert len(train) + len(test) == 6387
    assert len(train.classes) == 12
