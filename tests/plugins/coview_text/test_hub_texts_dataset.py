"""Texts of a Hugging Face data set, and judged pairs of them, from what its library writes."""

from __future__ import annotations

import pytest

import coview

datasets = pytest.importorskip("datasets")

SENTENCES = ["a dog barks", "a cat sleeps", "rain falls", "the dog barks", "  ", None]


def build(registry, folder, split="train", **parameters):
    return registry.build("dataset", f"text/hub:{folder}", supplied={"split": split}, **parameters)


@pytest.fixture
def reviews(tmp_path):
    def part(n):
        data = {
            "text": [SENTENCES[i % 6] for i in range(n)],
            "kind": [i % 2 for i in range(n)],
            "stars": [float(i) if i != 2 else None for i in range(n)],
            "author": [f"a{i // 2}" for i in range(n)],
        }
        features = {
            "text": datasets.Value("string"), "kind": datasets.ClassLabel(names=["bad", "good"]),
            "stars": datasets.Value("float32"), "author": datasets.Value("string"),
        }  # fmt: skip
        return datasets.Dataset.from_dict(data, features=datasets.Features(features))

    datasets.DatasetDict({"train": part(12), "test": part(6)}).save_to_disk(tmp_path / "reviews")
    return tmp_path / "reviews"


def test_texts_labels_and_ids(registry, reviews):
    train, test = build(registry, reviews), build(registry, reviews, "test")
    assert isinstance(train, coview.Dataset)
    assert (len(train), len(test), train.classes, train.pairs) == (12, 6, ("bad", "good"), None)
    assert [train[i]["text"] for i in (0, 3, 7)] == ["a dog barks", "the dog barks", "a cat sleeps"]
    assert (train[3].label, train[3].id, train[3].score, train[3].group) == (1, "train/3", None, None)
    assert test[2].id == "test/2"
    assert train.modalities == ("text",)
    assert train.licence == "see the hub"


@pytest.mark.parametrize(("row", "fault"), [(4, "is empty"), (5, "has no text")])
def test_a_row_without_a_text_is_named(registry, reviews, row, fault):
    with pytest.raises(coview.SampleError, match=f'train/{row}: "text" {fault}'):
        build(registry, reviews)[row]


def test_lists_of_tokens_are_joined_by_spaces(registry, tmp_path):
    rows = {"tokens": [["a", f"w{i}"] for i in range(20)], "nested": [[["a"], ["b"]]] * 20}
    datasets.Dataset.from_dict(rows).save_to_disk(tmp_path / "d")
    train, test = (build(registry, tmp_path / "d", split, text="tokens") for split in ("train", "test"))
    texts = [part[row]["text"] for part in (train, test) for row in range(len(part))]
    assert sorted(texts) == sorted(f"a w{i}" for i in range(20))
    assert "texts are lists of tokens, which are joined by spaces" in train.notes
    with pytest.raises(coview.SampleError, match=r"\"nested\" is a list with the list \['a'\] in it"):
        build(registry, tmp_path / "d", text="nested")[0]


def test_scores_and_groups(registry, reviews):
    data = build(registry, reviews, score="stars", group="author")
    assert [(data[i].score, data[i].group) for i in (1, 3)] == [(1.0, "a0"), (3.0, "a1")]
    with pytest.raises(coview.SampleError, match='train/2: "stars" is not a number: None'):
        data[2]


def test_a_column_of_numbers_is_no_text(registry, reviews):
    with pytest.raises(coview.SampleError, match=r'"stars" is not a text but the float 1\.0'):
        build(registry, reviews, text="stars")[1]


def test_lines_without_a_test_split_and_streamed(registry, tmp_path):
    (tmp_path / "wiki").mkdir()
    (tmp_path / "wiki" / "sentences.txt").write_text("".join(f"sentence {i}\n" for i in range(40)))
    train, test = build(registry, tmp_path / "wiki"), build(registry, tmp_path / "wiki", "test")
    assert (len(train), len(test), train.classes) == (32, 8, None)
    texts = [data[i]["text"] for data in (train, test) for i in range(len(data))]
    assert sorted(texts) == sorted(f"sentence {i}" for i in range(40))
    first = build(registry, tmp_path / "wiki", first=10)
    assert {first[i]["text"] for i in range(len(first))} <= {f"sentence {i}" for i in range(10)}


def test_the_texts_column_is_found_or_named(registry, tmp_path):
    datasets.Dataset.from_dict({"line": ["a"] * 5, "n": [1] * 5}).save_to_disk(tmp_path / "one")
    assert build(registry, tmp_path / "one")[0]["text"] == "a"
    datasets.Dataset.from_dict({"a": ["x"] * 5, "b": ["y"] * 5}).save_to_disk(tmp_path / "two")
    with pytest.raises(coview.CoviewError, match="several columns of texts, a, b"):
        build(registry, tmp_path / "two")
    with pytest.raises(coview.CoviewError, match='no column "c"'):
        build(registry, tmp_path / "two", text="c")


JUDGED = [
    ("a dog barks", "the dog barks", 4.5),
    ("a cat sleeps", "rain falls", 0.5),
    ("rain falls", "a dog barks", 1.0),
    ("a dog barks", None, 2.0),
    ("nobody asked", "a cat sleeps", None),
]


@pytest.fixture
def sts(tmp_path):
    columns = {name: [row[place] for row in JUDGED] for place, name in enumerate(("sentence1", "sentence2", "label"))}
    part = datasets.Dataset.from_dict(columns)
    datasets.DatasetDict({"train": part, "validation": part}).save_to_disk(tmp_path / "sts")
    return tmp_path / "sts"


def test_pairs_are_of_each_text_once(registry, sts):
    data = build(registry, sts, "test", text="sentence1", pair="sentence2", score="label")
    assert data.classes is None
    readable, faults = {}, []
    for i in range(len(data)):
        try:
            readable[i] = data[i]
        except coview.SampleError as error:
            faults.append(str(error))
    assert faults == [f'{sts} validation/3/sentence2: "sentence2" has no text']
    texts = {i: sample["text"] for i, sample in readable.items()}
    assert sorted(texts.values()) == sorted({text for row in JUDGED for text in row[:2] if text})
    found = {
        (texts.get(first), texts.get(second), score)
        for first, second, score in zip(data.pairs.first_P, data.pairs.second_P, data.pairs.score_P, strict=True)
    }
    assert found == {row for row in JUDGED if row[2] is not None}
    assert {sample.id for sample in readable.values()} >= {"validation/0/sentence1", "validation/0/sentence2"}


def test_a_score_called_label_is_no_class(registry, sts):
    data = build(registry, sts, text="sentence1", score="label")
    assert data.classes is None
    assert (data[0].score, data[0].label) == (4.5, None)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"pair": "sentence2", "score": "label"}, "pair needs text"),
        ({"pair": "sentence2", "text": "sentence1"}, "pair needs text"),
        ({"pair": "sentence2", "text": "sentence1", "score": "label", "label": "label"}, "a pair has no label"),
    ],
)
def test_half_a_pair_is_refused(registry, sts, parameters, message):
    with pytest.raises(coview.CoviewError, match=message):
        build(registry, sts, **parameters)


def test_pairs_without_judgements_are_refused(registry, tmp_path):
    datasets.Dataset.from_dict({"a": ["x", "y"], "b": ["y", "z"], "s": ["?", "?"]}).save_to_disk(tmp_path / "none")
    with pytest.raises(coview.CoviewError, match='no row of the split has a number in "s"'):
        build(registry, tmp_path / "none", text="a", pair="b", score="s", test_fraction=0.5)
