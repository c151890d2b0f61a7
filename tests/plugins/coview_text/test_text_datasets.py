"""Texts from files of the user's, and from what was fetched."""

from __future__ import annotations

import argparse
import ast
import csv
import dataclasses
import inspect
import json

import numpy as np
import pandas
import pytest

import coview
from coview_text.datasets.folder import TextFolder
from coview_text.datasets.lee import Lee
from coview_text.datasets.lines import TextLines
from coview_text.datasets.orange_text import R8, R52, Newsgroups
from coview_text.datasets.rows import JOINED
from coview_text.datasets.scipy_docs import TOPICS, SciPyDocs, _documented
from coview_text.datasets.table import TextTable
from coview_text.datasets.vader import VaderSnippets
from coview_text.datasets.wordsim import WordSim353


def content(dataset):
    """Every readable sample, and the faults of the others."""
    samples, faults = [], []
    for index in range(len(dataset)):
        try:
            samples.append(dataset[index])
        except coview.SampleError as error:
            faults.append((error.what, error.reason))
    return samples, faults


def both(factory, **parameters):
    return [content(factory(split=split, **parameters)) for split in ("train", "test")]


def texts(samples):
    return [sample["text"] for sample in samples]


# ---- lines ---------------------------------------------------------------------------------------------------------


def test_lines_are_split_without_loss_and_blank_ones_passed_over(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffone\r\n\r\n  two \n".encode() + "\n".join(f"line {i} 😀" for i in range(98)).encode())
    (train, _), (test, _) = both(TextLines, path=path)
    assert len(test) == 10
    assert sorted(texts(train) + texts(test)) == sorted(["one", "two", *(f"line {i} 😀" for i in range(98))])
    assert {sample.id for sample in train + test} >= {"a.txt:1", "a.txt:3", "a.txt:4"}
    assert texts(content(TextLines(path=path, split="test"))[0]) == texts(test), "the same split each time"
    assert TextLines(path=path).version.startswith("100 texts "), "of both splits"
    assert TextLines(path=path).version == TextLines(path=path, split="test").version


def test_equal_lines_are_on_one_side(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("\n".join(f"line {i % 30}" for i in range(120)))
    (train, _), (test, _) = both(TextLines, path=path, test_fraction=0.3)
    assert test
    assert not {*texts(train)} & {*texts(test)}


def test_a_file_of_its_own_for_the_test_split(tmp_path):
    (tmp_path / "a.txt").write_text("a\nb\n")
    (tmp_path / "b.txt").write_text("c\n")
    (train, _), (test, _) = both(TextLines, path=tmp_path / "a.txt", test_path=tmp_path / "b.txt")
    assert (texts(train), texts(test)) == (["a", "b"], ["c"])


@pytest.mark.parametrize(
    ("data", "parameters", "says"),
    [
        (b"one\ntwo\nthr\xe9\n", {}, r"a\.txt:3: this is not utf-8: byte 0xe9"),
        (b"\n \n", {}, "no line with text"),
        (None, {}, "no such file"),
    ],
)
def test_lines_that_cannot_be_read(tmp_path, data, parameters, says):
    path = tmp_path / "a.txt"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(coview.CoviewError, match=says):
        TextLines(path=path, **parameters)


def test_another_encoding(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("é\nè".encode("latin-1"))
    found = both(TextLines, path=path, encoding="latin-1")
    assert {text for samples, _ in found for text in texts(samples)} == {"é", "è"}
    with pytest.raises(ValueError, match="no encoding"):
        TextLines(path=path, encoding="latin-99")


# ---- tables --------------------------------------------------------------------------------------------------------

ROWS = [(f'text, {i}\nmore "{i}"', ("b", "a", "c")[i % 3], i / 2, f"author {i // 5}") for i in range(60)]


def write_table(path, rows=ROWS):
    names = ("body", "kind", "mark", "author")
    if path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(dict(zip(names, row, strict=True))) for row in rows))
        return path
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter="," if path.suffix == ".csv" else "\t")
        writer.writerows([names, *rows])
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_tables_give_named_columns(tmp_path, suffix):
    path = write_table(tmp_path / f"a{suffix}")
    columns = {"text": "body", "label": "kind", "score": "mark", "group": "author"}
    (train, _), (test, _) = both(TextTable, path=path, **columns)
    dataset = TextTable(path=path, **columns)
    assert dataset.classes == ("a", "b", "c")
    found = {(s["text"], dataset.classes[s.label], s.score, s.group) for s in train + test}
    assert found == set(ROWS)
    assert test
    assert not {s.group for s in train} & {s.group for s in test}


def test_labels_that_are_numbers_are_in_their_order(tmp_path):
    path = write_table(tmp_path / "a.jsonl", [(f"t{i}", 12 - i % 4 * 3, 0, "x") for i in range(40)])
    assert TextTable(path=path, text="body", label="kind").classes == ("3", "6", "9", "12")


def test_a_table_is_split_stratified(tmp_path):
    path = write_table(tmp_path / "a.csv")
    (train, _), (test, _) = both(TextTable, path=path, text="body", label="kind")
    assert [sum(s.label == c for s in test) for c in range(3)] == [4, 4, 4]
    assert len(train) == 48


def test_rows_that_cannot_be_used_are_named_and_counted(tmp_path):
    path = tmp_path / "a.csv"
    good = "\n".join(f"t{i},{'ab'[i % 2]},{i}" for i in range(20))
    path.write_text(f"text,kind,mark\n{good}\n ,a,1\nx,,1\nx,a,high\n\nx,b,nan\n")
    (train, faults), (test, none) = both(TextTable, path=path, label="kind", score="mark")
    assert (len(train) + len(test), none) == (21, [])
    assert faults == [
        ("a.csv:22", '"text" is empty'),
        ("a.csv:24", "\"mark\" is not a number: 'high'"),
        ("a.csv:26", "\"mark\" is not a number: 'nan'"),
    ]
    (note,) = TextTable(path=path, label="kind", score="mark").notes
    assert note.startswith('3 of 24 texts cannot be used: a.csv:22 ("text" is empty), a.csv:24')


def test_rows_without_a_label_are_trained_on(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,kind\n" + "".join(f"t{i},{('', 'a', 'b', '')[i % 4]}\n" for i in range(80)))
    samples = [
        sample for split in ("train", "test") for sample in content(TextTable(split=split, path=path, label="kind"))[0]
    ]
    assert sorted(sample["text"] for sample in samples) == sorted(f"t{i}" for i in range(80))
    for sample in samples:
        assert sample.label == (None, 0, 1, None)[int(sample["text"][1:]) % 4]
    for split in ("train", "test"):
        dataset = TextTable(split=split, path=path, label="kind")
        assert [-1 if sample.label is None else sample.label for sample in content(dataset)[0]] == list(dataset.labels)
        assert dataset.classes == ("a", "b")
        assert not dataset.unreadable
    path.write_text("text,kind\nx,\ny,\nz,\n")
    with pytest.raises(coview.CoviewError, match='none of the 3 rows has a class in "kind"'):
        TextTable(path=path, label="kind")


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_lists_of_tokens_are_joined_by_spaces(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    frame = pandas.DataFrame({"text": [["a", f"w{i}"] for i in range(20)], "kind": ["p", "q"] * 10})
    if ending == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_parquet(path)
    (train, faults), (test, none) = both(TextTable, path=path, label="kind")
    assert sorted(sample["text"] for sample in train + test) == sorted(f"a w{i}" for i in range(20))
    assert faults == none == []
    assert JOINED in TextTable(path=path, label="kind").notes


def test_lines_of_json_that_cannot_be_used(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"text": "a"}\n{"text": 3}\n{"text": [["x"], "y"]}\n\n{"other": "x"}\n{"text": "b"}\n{"text": "c"}\n'
        '{"text": {"a": "b"}}\n{"text": []}\n'
    )
    _, faults = content(TextTable(path=path))
    assert faults == [
        ("a.jsonl:2", '"text" is not a text but the int 3'),
        ("a.jsonl:3", "\"text\" is a list with the list ['x'] in it, and has to be a text or a list of tokens"),
        ("a.jsonl:5", 'no "text"'),
        ("a.jsonl:8", "\"text\" is not a text but the dict {'a': 'b'}"),
        ("a.jsonl:9", '"text" is empty'),
    ]


@pytest.mark.parametrize(
    ("name", "data", "parameters", "says"),
    [
        ("a.csv", "txt,label\na,b\n", {}, r'no column "text", did you mean "txt"\?\n  its columns are txt, label'),
        ("a.csv", "text,label\na,b\n", {"label": "labels"}, 'did you mean "label"'),
        ("a.csv", "", {}, "it is empty"),
        ("a.csv", "text\n", {}, "has no rows"),
        ("a.jsonl", '{"x": 1}\n', {}, 'has no column "text"'),
        ("a.jsonl", '{"text": ""}\n', {}, 'no row .* can be used; a.jsonl:1: no "text"'),
        ("a.jsonl", '{"text": "x"}\n[1]\n', {}, r"a.jsonl:2: this is not a JSON object but \[1\]"),
        ("a.jsonl", '{"text": "x"}\n{"text"\n', {}, "a.jsonl:2: this is not JSON: "),
        ("a.csv", "text,k\nx,a\nx\n", {}, "a.csv:3: 1 field where the header has 2"),
        ("a.csv", "text,k\nx,a\nx,a,b\n", {}, "a.csv:3: 3 fields where the header has 2"),
        ("a.parquet", "x", {}, "cannot be read as Parquet"),
        ("a.xlsx", "x", {}, r"ending of a table has to be \.csv"),
        ("a.csv", "text,k\na,x\nb,z\nc,y\nd,w\n", {"label": "k"}, "each of the 4 classes has one sample"),
        ("a.csv", "text\nonly\n", {}, "cannot split 1 samples"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(tmp_path, name, data, parameters, says):
    (tmp_path / name).write_text(data)
    with pytest.raises(coview.CoviewError, match=says):
        TextTable(path=tmp_path / name, **parameters)


def test_a_class_of_the_test_file_alone_is_refused(tmp_path):
    write_table(tmp_path / "a.csv")
    write_table(tmp_path / "b.csv", [("t", "z", 0, "x")])
    with pytest.raises(coview.CoviewError, match="the classes z are not in"):
        TextTable(split="test", path=tmp_path / "a.csv", test_path=tmp_path / "b.csv", text="body", label="kind")


# ---- folders -------------------------------------------------------------------------------------------------------


def write_folder(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def test_a_folder_with_classes(tmp_path):
    root = write_folder(tmp_path, {f"{kind}/{i}.txt": f"{kind} {i}" for kind in ("sport", "news") for i in range(10)})
    write_folder(tmp_path, {"sport/.hidden.txt": "x", "sport/notes.md": "x"})
    (train, _), (test, _) = both(TextFolder, root=root)
    assert TextFolder(root=root).classes == ("news", "sport")
    assert (len(train), len(test)) == (16, 4)
    assert all(sample["text"].startswith(("news", "sport")[sample.label]) for sample in train + test)
    assert {sample.id for sample in train + test} == {
        f"{kind}/{i}.txt" for kind in ("sport", "news") for i in range(10)
    }


def test_a_folder_with_splits_and_bad_files(tmp_path):
    files = {
        "train/a/1.txt": "one",
        "train/a/2.txt": b"\xff\xe9",
        "train/b/3.txt": " ",
        "train/b/4.txt": "x",
        "test/a/5.txt": "y",
        "test/b/6.txt": "z",
    }
    (train, faults), (test, _) = both(TextFolder, root=write_folder(tmp_path, files))
    assert (texts(train), texts(test)) == (["one", "x"], ["y", "z"])
    assert [what for what, _ in faults] == ["train/a/2.txt", "train/b/3.txt"]
    assert "this is not utf-8" in faults[0][1]


def test_a_text_that_is_there_twice_is_on_one_side(tmp_path):
    files = {f"{kind}/{i}.txt": f"{kind} {i % 10}" for kind in ("sport", "news") for i in range(20)}
    (train, _), (test, _) = both(TextFolder, root=write_folder(tmp_path, files), test_fraction=0.3)
    assert len(train) + len(test) == 40
    assert test
    assert not {*texts(train)} & {*texts(test)}


def test_endings_in_capitals_and_a_val_folder_are_found_as_of_pictures(tmp_path):
    files = {f"{split}/{kind}/1.TXT": f"{split} {kind}" for split in ("train", "val") for kind in ("a", "b")}
    (train, _), (test, _) = both(TextFolder, root=write_folder(tmp_path, files))
    assert (texts(train), texts(test)) == (["train a", "train b"], ["val a", "val b"])


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"a.md": "x"}, r"no texts: it has 1 other files, such as a\.md"),
        ({"a.txt": "x", "b/c.txt": "y"}, r"texts of its own \(a\.txt\) beside the subfolders b"),
        (
            {"train/a/1.txt": "x", "train/b/1.txt": "x", "test/a/1.txt": "y", "test/c/1.txt": "y"},
            "the classes c are not among those of train/: a, b",
        ),
        ({"a/1.txt": "x", "b/1.md": "y"}, "no texts in b, while 1 class folders have some"),
    ],
)
def test_folders_that_cannot_be_used_are_refused(tmp_path, files, says):
    with pytest.raises(coview.CoviewError, match=says):
        both(TextFolder, root=write_folder(tmp_path, files))
    with pytest.raises(coview.CoviewError, match="no such folder"):
        TextFolder(root=tmp_path / "gone")


# ---- shipped and fetched -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", [argparse, dataclasses, inspect, json.decoder])
def test_docstrings_are_found_in_the_order_of_a_walk_through_everything(module):
    tree = ast.parse(inspect.getsource(module))
    walked = [node for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)]
    assert list(_documented(tree)) == walked


def test_scipys_documentation_is_real_text_in_balanced_splits():
    (train, faults), (test, _) = both(SciPyDocs)
    assert not faults
    assert len(train) + len(test) > 5000
    assert {sample.label for sample in test} == set(range(len(TOPICS)))
    assert not {s.group for s in train} & {s.group for s in test}
    assert not {*texts(train)} & {*texts(test)}
    assert all(sample.group.startswith(TOPICS[sample.label] + "/") for sample in train)


@pytest.fixture
def fetched(tmp_path, monkeypatch):
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path))

    def write(name, **files):
        for file, text in files.items():
            path = tmp_path / name / file.replace("__", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("latin-1"))

    return write


@pytest.mark.parametrize(("factory", "name"), [(Newsgroups, "newsgroups"), (R8, "r8"), (R52, "r52")])
def test_news_have_official_splits(fetched, factory, name):
    with pytest.raises(coview.CoviewError) as caught:
        factory()
    assert caught.value.hint == f"coview data fetch {name}"
    header = "Category\tText\nd\tstring\nclass\t\n\n"
    fetched(name, train__tab=header + "b\tone two\na\tthree\na\t\n", test__tab=header + "b\tfour\n")
    (train, faults), (test, _) = both(factory)
    assert factory().classes == ("a", "b")
    assert [(s["text"], s.label) for s in train] == [("one two", 1), ("three", 0)]
    assert [(s["text"], s.label) for s in test] == [("four", 1)]
    assert [reason for _, reason in faults] == ["the text is empty"]
    assert len({s.id for s in train + test}) == 3


def test_some_categories_of_the_news(fetched):
    header = "Category\tText\nd\tstring\nclass\t\n\n"
    fetched("r8", train__tab=header + "c\tone\na\ttwo\nb\tthree\n", test__tab=header + "b\tfour\na\tfive\n")
    (train, _), (test, _) = both(R8, categories=("c", "a"))
    assert R8(categories=("c", "a")).classes == ("a", "c")
    assert [(s["text"], s.label) for s in train] == [("one", 1), ("two", 0)]
    assert [(s["text"], s.label) for s in test] == [("five", 0)]
    whole = [R8()[index] for index in range(3)]
    assert [s.id for s in train] == [s.id for s in whole if s["text"] != "three"]
    with pytest.raises(coview.CoviewError, match='r8 has no category "bb", did you mean "b"') as caught:
        R8(categories=("a", "bb"))
    assert caught.value.hint == "there are a, b, c"


def test_snippets_have_scores_and_reviews_do_not_cross(fetched):
    lines = [f"{i // 4}_{i % 4}\t{i / 10 - 2}\tsnippet {i}" for i in range(40)]
    fetched("vader_snippets", news__tsv="\r\n".join(lines), tweets__tsv="1\t2.5\tyay\r\n2\t-1\tnay\r\n3\t0\tmeh")
    (train, _), (test, _) = both(VaderSnippets, kind="news")
    assert len(test) == 8
    assert not {s.group for s in train} & {s.group for s in test}
    assert {(s["text"], s.score) for s in train + test} == {(f"snippet {i}", i / 10 - 2) for i in range(40)}
    assert VaderSnippets().classes is None


def test_documents_are_judged_pair_by_pair(fetched):
    matrix = "1\t0.3\t0.24\n0\t1\t0.5\n0\t0\t1\n"
    fetched("lee", lee__cor="caf\xe9\nb\nc", lee_background__cor="x\ny\n", **{"similarities0-1__txt": matrix})
    test = Lee(split="test")
    assert texts(content(test)[0]) == ["caf\xe9", "b", "c"]
    pairs = test.pairs
    assert list(zip(pairs.first_P, pairs.second_P, pairs.score_P, strict=True)) == [
        (0, 1, 0.3),
        (0, 2, 0.24),
        (1, 2, 0.5),
    ]
    assert Lee().pairs is None
    assert len(Lee()) == 2


def test_words_are_judged_pair_by_pair(fetched):
    fetched("wordsim353", wordsim353__tsv="# title\n# Word 1\ntiger\tcat\t7.35\ntiger\ttiger\t10.00\n")
    dataset = WordSim353()
    assert texts(content(dataset)[0]) == ["tiger", "cat"]
    assert np.array_equal(dataset.pairs.first_P, [0, 0])
    assert np.array_equal(dataset.pairs.second_P, [1, 0])
    assert np.array_equal(dataset.pairs.score_P, [7.35, 10.0])
    with pytest.raises(ValueError, match="split has to be one of test"):
        WordSim353(split="train")


@pytest.mark.parametrize(
    ("factory", "parameters", "sizes", "classes"),
    [
        (Newsgroups, {}, (11293, 7528), 20),
        (R8, {}, (5485, 2189), 8),
        (R52, {}, (6532, 2568), 52),
        (VaderSnippets, {"kind": "tweets"}, (3360, 840), None),
        (Lee, {}, (300, 50), None),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_real_ones(factory, parameters, sizes, classes):
    name = getattr(factory, "resource", "") or {"VaderSnippets": "vader_snippets", "Lee": "lee"}[factory.__name__]
    if not coview.data_folder(name).is_dir():
        pytest.skip(f"needs coview data fetch {name}")
    found = tuple(len(factory(split=split, **parameters)) for split in ("train", "test"))
    assert found == sizes
    assert (factory().classes and len(factory().classes)) == classes


# ---- pairs, splits and folds of tables -----------------------------------------------------------------------------


def judged(path, count=60):
    rows = [(f"first {i % 20}", f"second {i}", (i * 7 % 25) / 5) for i in range(count)]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("a", "b", "score"), *rows])
    return path


def test_judged_pairs_of_a_table(tmp_path):
    path = judged(tmp_path / "p.csv")
    with path.open(newline="") as file:
        expected = {(row["a"], row["b"], float(row["score"])) for row in csv.DictReader(file)}
    found, sides = set(), []
    for split in ("train", "test"):
        data = TextTable(path=path, split=split, text="a", pair="b", score="score")
        samples, faults = content(data)
        assert not faults
        assert len(set(texts(samples))) == len(samples), "each text once"
        assert data.classes is None
        for first, second, score in zip(data.pairs.first_P, data.pairs.second_P, data.pairs.score_P, strict=True):
            found.add((samples[first]["text"], samples[second]["text"], score))
        sides.append(set(texts(samples)))
    assert found == expected
    assert sides[1]
    assert not sides[0] & sides[1]


def test_pairs_that_hang_together_need_a_file_of_their_own_to_test_on(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("a,b,score\n" + "".join(f"t{i},t{i + 1},1\n" for i in range(9)))
    with pytest.raises(coview.CoviewError, match="every text is linked to every other") as caught:
        TextTable(path=path, text="a", pair="b", score="score")
    assert "test_path" in caught.value.hint
    other = TextTable(path=path, test_path=judged(tmp_path / "q.csv"), split="test", text="a", pair="b", score="score")
    assert len(other.pairs) == 60


def test_a_pair_that_cannot_be_used_is_named(tmp_path):
    path = judged(tmp_path / "p.csv")
    path.write_text(path.read_text() + "x,,1\ny,z,high\n")
    data = TextTable(path=path, text="a", pair="b", score="score")
    assert content(data)[1] == [("p.csv:62", 'no "b"'), ("p.csv:63", "\"score\" is not a number: 'high'")]
    with pytest.raises(ValueError, match="pair needs score"):
        TextTable(path=path, text="a", pair="b")


def test_columns_of_splits_and_folds(tmp_path):
    path = tmp_path / "t.csv"
    names = ("train", "test", "dev")
    rows = [(f"text {i}", "ab"[i // 3 % 2], names[i % 3], str(i % 5)) for i in range(60)]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "kind", "part", "fold"), *rows])
    assert TextTable.find_splits(path=str(path), split_column="part") == ("train", "validation", "test")
    for split, name in (("train", "train"), ("test", "test"), ("validation", "dev")):
        data = TextTable(path=path, split=split, label="kind", split_column="part")
        assert texts(content(data)[0]) == [text for text, _, part, _ in rows if part == name]
    data = TextTable(path=path, split="test", label="kind", split_column="fold", fold="2")
    assert texts(content(data)[0]) == [text for text, _, _, fold in rows if fold == "2"]
    with pytest.raises(ValueError, match="split has to be one of train, test, got 'validation'"):
        TextTable(path=path, split="validation", label="kind")


def test_a_file_that_validates(tmp_path):
    path, dev, test = (judged(tmp_path / f"{name}.csv") for name in ("train", "dev", "test"))
    dev.write_text("a,b,score\none,two,0.5\ntwo,three,1\n")
    pairs = {"text": "a", "pair": "b", "score": "score"}
    assert TextTable.find_splits(path=str(path), validation_path=str(dev)) == ("train", "validation", "test")
    data = TextTable(split="validation", path=path, test_path=test, validation_path=dev, **pairs)
    assert texts(content(data)[0]) == ["one", "two", "three"]
    assert data.pairs.score_P.tolist() == [0.5, 1.0]
    held_out = TextTable(split="test", path=path, validation_path=dev, **pairs)  # of the training file
    assert 0 < len(held_out.pairs) < 60
    with pytest.raises(ValueError, match="give split_column or validation_path, and not both"):
        TextTable(path=path, validation_path=dev, split_column="part", **pairs)
    classes = write_table(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("body,kind\nnew,unheard of\n")
    with pytest.raises(coview.CoviewError, match=r"b\.csv: the classes unheard of are not in the training split"):
        TextTable(path=classes, validation_path=tmp_path / "b.csv", text="body", label="kind")


def test_a_table_without_a_header(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("".join(f"{'pn'[i % 2]},text {i}\n" for i in range(20)))
    (train, _), (test, _) = both(TextTable, path=path, text="2", label="1", header=False)
    assert sorted(texts(train) + texts(test)) == sorted(f"text {i}" for i in range(20))
    assert TextTable(path=path, text="2", label="1", header=False).classes == ("n", "p")


def test_minus_one_is_a_class_of_a_column_like_any_other(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("text,label\n" + "".join(f"text {i},{i % 3 - 1}\n" for i in range(60)))
    assert TextTable(path=path, label="label").classes == ("-1", "0", "1")


def test_a_class_of_one_text_is_trained_on_and_said(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("text,label\n" + "".join(f"text {i},{'ab'[i % 2]}\n" for i in range(40)) + "lonely,c\n")
    (train, _), (test, _) = both(TextTable, path=path, label="label")
    assert "lonely" in texts(train)
    assert [sum(s.label == c for s in test) for c in range(3)] == [4, 4, 0]
    assert TextTable(path=path, label="label").notes == (
        "the class c cannot be tested: its samples are all in the train split",
    )


def test_the_version_of_a_table_is_of_labels_and_of_the_test_file(tmp_path):
    path = write_table(tmp_path / "a.csv")
    write_table(tmp_path / "b.csv", ROWS[:9])
    write_table(tmp_path / "c.csv", ROWS[3:12])
    versions = [
        TextTable(path=path, text="body", **more).version
        for more in (
            {},
            {"label": "kind"},
            {"label": "author"},
            {"group": "author"},
            {"split_seed": 1},
            {"test_path": tmp_path / "b.csv"},
            {"test_path": tmp_path / "c.csv"},
        )
    ]
    assert len(set(versions)) == len(versions)
