"""Rows to samples, and samples to splits: what hangs together stays together, whatever the rows are."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coview.builtin.datasets.pairs import PairRow, samples_of, split_pairs
from coview.errors import CoviewError

HOW = {
    "modalities": ("audio", "image", "text"),
    "files": ("image",),
    "by_concept": True,
    "fraction": 0.5,
    "seed": 0,
    "what": "t",
}
NAME = st.sampled_from("abcdefgh")


@st.composite
def pair_rows(draw):
    """Rows with pictures, sounds and texts that some share, of words and speakers, some of which are not known."""
    found = []
    for place in range(draw(st.integers(2, 24))):
        values = {
            "image": [f"{name}.png" for name in draw(st.lists(NAME, max_size=1))],
            "audio": [f"{name}.wav" for name in draw(st.lists(NAME, max_size=1))],
            "text": draw(st.lists(NAME, min_size=0, max_size=2)),
        }
        concepts = [(of, value) for of in ("word", "speaker") if (value := draw(st.none() | NAME)) is not None]
        values = {name: of for name, of in values.items() if of}
        fault = "" if values else "has no value of any modality"
        found.append(PairRow(f"t:{place + 2}", values, concepts=concepts, fault=fault))
    return found


def closure(rows, files):
    """The rows that hang together by files, by a search from each of them."""
    left, parts = [place for place, row in enumerate(rows) if not row.fault], []
    while left:
        part, reached = set(), {left[0]}
        while reached:
            part |= reached
            known = {(name, value) for at in part for name in files for value in rows[at].values.get(name, ())}
            reached = {
                at
                for at in left
                if at not in part and known & {(name, v) for name in files for v in rows[at].values.get(name, ())}
            }
        parts.append(part)
        left = [at for at in left if at not in part]
    return parts


@given(pair_rows())
def test_rows_that_name_one_file_are_one_sample(rows):
    samples = samples_of(rows, ("image", "audio"))
    expected = {
        frozenset((name, value) for at in part for name, of in rows[at].values.items() for value in of)
        for part in closure(rows, ("image", "audio"))
        if len(part) > 1 or any(rows[at].values.keys() & {"image", "audio"} for at in part)
    }
    found = [
        frozenset((name, value) for name, of in sample.values.items() for value in of)
        for sample in samples
        if sample.values.keys() & {"image", "audio"}
    ]
    assert Counter(found) == Counter(expected)
    ids = [sample.id for sample in samples]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    for sample in samples:
        assert all(len(set(of)) == len(of) for of in sample.values.values())


def components(samples, by_concept):
    """The samples that can be used, by what hangs together, as a search from each finds it."""
    keys = [
        {(name, v) for name, of in sample.values.items() if name != "text" or not by_concept for v in of}
        | set(sample.concepts)
        for sample in samples
        if not sample.fault
    ]
    found = []
    for own in keys:
        part = own
        while (larger := part.union(*(other for other in keys if other & part))) != part:
            part = larger
        found.append(frozenset(part) or frozenset([("alone", len(found))]))
    return set(found)


@settings(max_examples=40)
@given(pair_rows(), st.booleans(), st.integers(0, 3), st.sampled_from([0.1, 0.3, 0.5]))
def test_no_file_and_no_concept_is_on_both_sides(rows, by_concept, seed, fraction):
    if not by_concept:
        rows = [PairRow(row.where, row.values, fault=row.fault) for row in rows]
    samples = samples_of(rows, ("image", "audio"))
    how = {**HOW, "files": ("image", "audio"), "by_concept": by_concept, "fraction": fraction, "seed": seed}
    if len(components(samples, by_concept)) < 2:
        with pytest.raises(CoviewError, match="into two parts"):
            split_pairs(samples, ("train", "test"), **how)
        return
    found = split_pairs(samples, ("train", "test"), **how)
    train, test = (found.parts[name].tolist() for name in ("train", "test"))
    assert sorted([*train, *test]) == list(range(len(samples)))
    assert not any(samples[at].fault for at in test)
    sides = []
    for part in (train, test):
        good = [samples[at] for at in part if not samples[at].fault]
        of_values = {(name, v) for of in good for name, values in of.values.items() for v in values}
        kept = {key for key in of_values if key[0] != "text"} if by_concept else of_values
        sides.append(kept | {key for of in good for key in of.concepts})
    assert train
    assert test
    assert not sides[0] & sides[1]
    assert not {found.groups[at] for at in train} & {found.groups[at] for at in test}


def test_what_is_given_a_name_is_one_sample_by_it():
    rows = [
        PairRow("t:2", {"image": ["a.png"], "text": ["one"]}, sample="first"),
        PairRow("t:3", {"image": ["b.png"], "text": ["two", "one"]}, sample="first", label="cat"),
        PairRow("t:4", {"image": ["a.png"], "text": ["three"]}, sample="second"),
    ]
    first, second = samples_of(rows, ("image",))
    assert (first.id, first.where, first.label) == ("first", "t:2", "cat")
    assert first.values == {"image": ["a.png", "b.png"], "text": ["one", "two"]}
    assert second.values == {"image": ["a.png"], "text": ["three"]}


def test_rows_of_one_sample_that_contradict_each_other_are_named():
    def rows(**more):
        return [
            PairRow(f"t:{2 + at}", {"image": ["a.png"]}, **{key: of[at] for key, of in more.items()}) for at in (0, 1)
        ]

    with pytest.raises(
        CoviewError, match=r"t:3: this row and t:2 belong to one sample, but have the class 'b' and 'a'"
    ):
        samples_of(rows(label=("a", "b")), ("image",))
    with pytest.raises(CoviewError, match="have the split 'test' and 'train'"):
        samples_of(rows(split=("train", "test")), ("image",))
    assert samples_of(rows(label=(None, "b")), ("image",))[0].label == "b"


def test_what_the_datas_own_splits_have_on_both_sides_is_said():
    rows = [
        PairRow(f"t:{at}", {"image": [f"{at}.png"], "text": ["same"]}, concepts=[("word", word)], split=split)
        for at, (word, split) in enumerate([("a", "train"), ("b", "train"), ("b", "test"), ("c", "test")])
    ]
    found = split_pairs(samples_of(rows, ("image",)), ("train", "test"), **{**HOW, "modalities": ("image",)})
    assert found.notes == (
        "1 of 2 test samples share a file or a concept with the training split, by the data's own splits: t:2 (b)",
    )
    assert {name: part.tolist() for name, part in found.parts.items()} == {"train": [0, 1], "test": [2, 3]}


def test_names_of_groups_are_those_of_their_concepts():
    def groups(*concepts):
        rows = [PairRow(f"t:{at}", {"image": [f"{at}.png"]}, concepts=of) for at, of in enumerate(concepts)]
        return split_pairs(samples_of(rows, ("image",)), ("train", "test"), **HOW).groups

    assert groups([("word", "cat")], [("word", "dog")], []) == ["cat", "dog", "sample 2.png"]
    assert groups([("word", "x")], [("speaker", "x")], [("word", "y")]) == ["word x", "speaker x", "word y"]
    joined = groups([("word", "b"), ("speaker", "s")], [("word", "a"), ("speaker", "s")], [("word", "c")])
    assert joined == ["speaker s", "speaker s", "word c"]


def test_texts_that_several_samples_have_are_counted():
    rows = [
        PairRow(f"t:{at}", {"image": [f"{at}.png"], "text": of}) for at, of in enumerate((["x", "y"], ["x"], ["z"]))
    ]
    found = split_pairs(samples_of(rows, ("image",)), ("train", "test"), **{**HOW, "modalities": ("image", "text")})
    assert found.notes[0] == (
        "2 samples have a text that another has too, 1 in all: t:0 and t:1 (“x”); the sampler no_duplicates with by = "
        '"text" keeps them out of one batch'
    )
