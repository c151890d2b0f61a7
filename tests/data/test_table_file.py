"""Tables against the csv module, pandas and pyarrow; and what is wrong with them, by file and line."""

from __future__ import annotations

import csv
import gzip
import json
import random

import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

import coview
from coview.data import text_file

WORDS = ["river", "stone", "light", "paper", "green", "north", "small", "glass", "horse", "tower", "music", "bread"]
COLUMNS = ("text", "label")


def rows_of(path, columns=COLUMNS, **how):
    table = coview.read_table(path, columns, **how)
    return [tuple(row.values[name] for name in columns) for row in table.rows]


def review(rng, lines=3):
    return "\n".join(" ".join(rng.choices(WORDS, k=6)) + rng.choice(["", ", said so", ' "yes"']) for _ in range(lines))


@pytest.fixture(scope="module")
def frame():
    rng = random.Random(0)
    return pandas.DataFrame(
        [(review(rng, rng.randint(1, 4)), rng.choice(["pos", "neg"]), i / 4) for i in range(500)],
        columns=["text", "label", "score"],
    )


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.csv.gz", "t.tab", "t.jsonl", "t.jsonl.gz", "t.parquet", "T.CSV"])
def test_what_pandas_writes_is_read_whole(frame, tmp_path, name):
    path = tmp_path / name
    if name.endswith("parquet"):
        frame.to_parquet(path)
    elif "jsonl" in name:
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False, sep="," if "csv" in name.lower() else "\t")
    assert rows_of(path) == list(zip(frame.text, frame.label, strict=True))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig", "utf-32", "cp1252"])
def test_encodings(tmp_path, encoding):
    path = tmp_path / "t.csv"
    mark = "\ufeff" if encoding == "utf-16-le" else ""
    path.write_bytes((mark + "text,label\nné,ä\n").encode(encoding))
    how = {"encoding": encoding} if encoding == "cp1252" else {}
    assert rows_of(path, **how) == [("né", "ä")]


@pytest.mark.parametrize(
    ("data", "says", "hint"),
    [
        ("text,label\nné,a\n".encode("cp1252"), "t.csv:2: this is not utf-8: byte 0xe9", "cp1252"),
        ("text,label\nno,a\n".encode("utf-16-le"), "there are zero bytes", 'encoding = "utf-16-le"'),
        ("text,label\nno,a\n".encode("utf-16-be"), "there are zero bytes", 'encoding = "utf-16-be"'),
        (b"PAR1\xff\xff", "t.csv is not a text: it is Parquet", "ending"),
        (b"PK\x03\x04\xff\xfe\xff", "a zip archive, as of Excel", "ending"),
        (gzip.compress(b"text,label\n", mtime=0), "it is gzip", "ending"),
    ],
)
def test_what_is_no_text_in_utf_8_is_named_with_a_proposal_that_helps(tmp_path, data, says, hint):
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with pytest.raises(coview.CoviewError, match=says) as caught:
        rows_of(path)
    assert hint in caught.value.hint


def test_a_packed_file_that_is_too_large_or_damaged_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"text,label\n" + b"a,b\n" * 1000))
    assert len(rows_of(path)) == 1000
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    with pytest.raises(coview.CoviewError, match="cannot be unpacked by gzip"):
        rows_of(path)
    path.write_bytes(whole)
    monkeypatch.setattr(text_file, "LARGEST", 999)
    with pytest.raises(coview.CoviewError, match="unpacks to more than"):
        rows_of(path)


TEXTS = st.text(alphabet='ab ,;\n"', min_size=1).filter(str.strip)


@given(st.lists(st.tuples(TEXTS, st.sampled_from(["pos", "neg"])), min_size=1, max_size=30), st.sampled_from(",\t"))
def test_whatever_the_csv_module_writes_is_read_back(tmp_path_factory, rows, delimiter):
    path = tmp_path_factory.mktemp("t") / ("t.csv" if delimiter == "," else "t.tsv")
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows([COLUMNS, *rows])
    assert rows_of(path) == rows


def unquoted(count, delimiter="\t"):
    rng = random.Random(1)
    return [f"{' '.join(rng.choices(WORDS, k=6))}{delimiter}{rng.choice(['pos', 'neg'])}" for _ in range(count)]


@pytest.mark.parametrize(("name", "delimiter"), [("t.tsv", "\t"), ("t.csv", ",")])
@pytest.mark.parametrize("closes", [None, 301, 599])
def test_a_quote_that_is_never_closed_or_by_chance_is_found(tmp_path, name, delimiter, closes):
    lines = unquoted(600, delimiter)
    lines[300 - 2] = '"' + lines[300 - 2]
    if closes:
        text, _, label = lines[closes - 2].partition(delimiter)
        lines[closes - 2] = f'{text}"{delimiter}{label}'
    path = tmp_path / name
    path.write_text("\n".join([delimiter.join(COLUMNS), *lines]) + "\n")
    with pytest.raises(coview.CoviewError, match=rf"{name}:300: a quote opens in this row") as caught:
        rows_of(path)
    assert "quotes = false" in caught.value.hint
    assert len(rows_of(path, quotes=False)) == 600


def test_a_quote_that_is_closed_within_a_field_is_found(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('text,label\n"so" he said,a\n')
    with pytest.raises(coview.CoviewError, match=r"t.csv:2: a field goes on after its closing quote"):
        rows_of(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("text,label\nx,a\na cat, sitting,b\ny,b\nz, z,c\n", "t.csv:3: 3 fields where the header has 2; 2 of 4 rows"),
        ("text,label\nx,a\n\ny\n", "t.csv:4: 1 field where the header has 2"),
        ("text,label,label\nx,a,b\n", 'several columns "label"'),
        ("text,lable\nx,a\n", 'no column "label", did you mean "lable"'),
        ("text,label\n", "has no rows"),
        ("", 'no column "text"'),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, text, says):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(coview.CoviewError, match=says):
        rows_of(path)


def test_without_a_header_columns_are_numbers(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("5,a,b\n4,c,d\n")
    assert rows_of(path, ("2", "1"), header=False) == [("a", "5"), ("c", "4")]
    with pytest.raises(coview.CoviewError, match='no column "text"') as caught:
        rows_of(path, ("text",), header=False)
    assert caught.value.hint == "its columns are 1, 2, 3"


def test_semicolons_are_taken_where_the_header_has_them(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('text;label\na, b;c\n"d; e";f\n')
    assert rows_of(path) == [("a, b", "c"), ("d; e", "f")]


def test_names_of_classes_are_one_whatever_they_are_written_as(tmp_path):
    path = tmp_path / "t.jsonl"
    values = ["café", "cafe\u0301", 3, 3.0, "3", True]
    path.write_text("\n".join(json.dumps({"text": "x", "label": value}) for value in values))
    assert coview.read_table(path, COLUMNS).names("label") == ["café", "café", "3", "3", "3", "True"]
    path.write_text('{"text": "x", "label": "a"}\n{"text": "x", "label": ["a", "b"]}\n')
    with pytest.raises(coview.CoviewError, match=r't.jsonl:2: "label" holds \[.a., .b.\], and has to hold one'):
        coview.read_table(path, COLUMNS).names("label")
    path.write_text('{"text": "x", "label": "a"}\n{"text": "x", "label": null}\n{"text": "x"}\n')
    with pytest.raises(coview.CoviewError, match=r't\.jsonl:2: 2 of 3 rows have nothing in "label"'):
        coview.read_table(path, COLUMNS).names("label")


def test_classes_may_be_missing_in_some_rows(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("text,label\na,x\nb,\nc,y\n")
    assert coview.read_table(path, COLUMNS).class_names("label") == ["x", None, "y"]
    path.write_text("text,label\na,\nb,\n")
    with pytest.raises(coview.CoviewError, match=r't\.csv: none of the 2 rows has a class in "label"'):
        coview.read_table(path, COLUMNS).class_names("label")


def test_missing_values_of_parquet_are_missing(tmp_path):
    path = tmp_path / "t.parquet"
    pandas.DataFrame({"text": ["a", "b"], "label": [1.0, None]}).to_parquet(path)
    with pytest.raises(coview.CoviewError, match=r't.parquet:2: 1 of 2 rows have nothing in "label"'):
        coview.read_table(path, COLUMNS).names("label")
