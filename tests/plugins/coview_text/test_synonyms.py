"""Synonyms: whose they are, where they go, and what is missing where something is."""

from __future__ import annotations

import os
from collections import Counter

import nltk
import pytest
from tiny_wordnet import write_tagger, write_wordnet

import coview
from coview.testing import check_augmentation
from coview_text.augment.random_insertion import RandomInsertion
from coview_text.augment.synonym_replacement import SynonymReplacement
from coview_text.synonyms import Thesaurus

REAL = coview.data_folder("wordnet").is_dir() and coview.data_folder("tagger").is_dir()
TEXTS = [
    "the Quick fox jumped in spring, and fox after fox came",
    "quick, quick said the FOX and the dogs of spring who jumped",
]
ODD = ["", " ", "word", "fox", "!!!", "42", "😀", "我爱", "مرحبا", "don't 3.5% (fox)"]


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path))
    monkeypatch.setattr(nltk.data, "path", list(nltk.data.path))
    write_wordnet(tmp_path)
    write_tagger(tmp_path)
    return tmp_path


def test_synonyms_are_of_the_words_part_of_speech(data):
    found = Thesaurus().replaceable(["the", "Quick", "fox", "jumped", "(spring)!", "dogs", "42", "..."])
    assert found == [
        (),
        ("Speedy", "Fast"),
        ("slyboots", "dodger", "sly one"),
        ("leap", "jump", "spring"),
        ("(springtime)!",),
        ("dog", "hound"),
        (),
        (),
    ]


def test_without_a_tagger_every_part_of_speech_counts(data):
    (found, spring) = Thesaurus(tagged=False).replaceable(["FOX", "spring"])
    assert set(found) == {"SLYBOOTS", "DODGER", "SLY ONE", "FLIM-FLAM"}
    assert set(spring) == {"springtime", "leap", "jump"}


@pytest.mark.parametrize("factory", [SynonymReplacement, RandomInsertion])
def test_keeps_the_contract(data, factory):
    check_augmentation(factory, TEXTS, parameters={"share": 0.4})


@pytest.mark.parametrize("factory", [SynonymReplacement, RandomInsertion])
@pytest.mark.parametrize("text", ODD)
def test_every_kind_of_text_gives_a_text(data, factory, text):
    out = factory(share=1.0)(text, coview.Rng())
    assert bool(out.strip()) == bool(text.strip())
    assert ("fox" in text) or out == text


def test_a_share_of_the_words_is_replaced_each_alike(data):
    step, rng = SynonymReplacement(share=0.25), coview.Rng()
    text = "the quick fox jumped at the dogs there"
    counts = Counter()
    for sample in range(2000):
        out = step(text, rng.seek(0, 0, sample, 0, 0)).replace("sly one", "sly_one").split()
        changed = [before for before, after in zip(text.split(), out, strict=True) if before != after]
        assert len(changed) == 2
        counts.update(changed)
    assert set(counts) == {"quick", "fox", "jumped", "dogs"}
    assert all(900 < count < 1100 for count in counts.values())


def test_synonyms_are_inserted_and_nothing_is_taken_away(data):
    step, rng = RandomInsertion(share=0.25), coview.Rng()
    text = "the quick (fox) sat there at home now"
    places, inserted = Counter(), Counter()
    for sample in range(2000):
        out = step(text, rng.seek(0, 0, sample, 0, 0)).replace("sly one", "sly_one").split()
        new = list((Counter(out) - Counter(text.split())).elements())
        assert len(new) == 2
        assert [word for word in out if word not in new] == text.split()
        inserted.update(new)
        places[out.index(new[0])] += 1
    assert set(inserted) == {"speedy", "fast", "slyboots", "dodger", "sly_one", "flim-flam"}
    assert {*range(9)} <= set(places)


@pytest.mark.parametrize("missing", ["wordnet", "tagger"])
def test_what_is_not_fetched_is_said_with_the_command(data, missing):
    os.rename(data / missing, data / "gone")
    step = SynonymReplacement()
    with pytest.raises(coview.CoviewError) as caught:
        step("a fox", coview.Rng())
    assert caught.value.hint == f"coview data fetch {missing}"


def test_other_languages_by_the_open_multilingual_wordnet(data, monkeypatch):
    with pytest.raises(coview.CoviewError, match="Open Multilingual WordNet"):
        SynonymReplacement(language="spa")("el zorro", coview.Rng())
    with pytest.raises(ValueError, match="English only"):
        SynonymReplacement(language="spa", part_of_speech=True)
    folder = data / "nltk" / "corpora" / "omw-1.4" / "spa"
    folder.mkdir(parents=True)
    offset = f"{0:08}-n"
    lines = [f"{offset}\tspa:lemma\t{word}" for word in ("zorro", "raposa")]
    (folder / "wn-data-spa.tab").write_text("# Spanish\n" + "\n".join(lines) + "\n")
    nltk.data.path.append(str(data / "nltk"))
    out = SynonymReplacement(language="spa")("el zorro duerme", coview.Rng())
    assert out == "el raposa duerme"
    with pytest.raises(coview.CoviewError, match='did you mean "spa"'):
        SynonymReplacement(language="sp")("el zorro", coview.Rng())


@pytest.mark.skipif(not REAL, reason="needs coview data fetch wordnet tagger")
def test_the_real_wordnet():
    found = Thesaurus().replaceable(["They", "run", "quickly", "home,", "happily"])
    assert "scat" in found[1]
    assert "rapidly" in found[2]
    assert "place," in found[3]
    assert "merrily" in found[4]
