"""A table of pairs: what is read of each cell, what a sample is, and what is said of what cannot be used."""

from __future__ import annotations

import numpy as np
import pytest

import coview
from coview.builtin.datasets.pairs_table import PairsTable
from coview.data.loader import view_loader
from coview.data.several_values import every_value
from coview.data.value_readers import file_readers
from coview.data.views import ViewMaker
from coview.experiment.evaluate import encoder_recipe
from coview.testing import DATASET_CHECKS, check_dataset
from coview_text.modality import TextModality
from paired_files import COLUMNS, SHADE, WORDS, N, both, build, rows, write_files, write_table


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    write_files(folder)
    write_table(folder / "pairs.csv", rows())
    return folder


def all_samples(**parameters):
    return {
        sample.id: sample
        for data in both("pairs_table", **parameters)
        for sample in map(data.__getitem__, range(len(data)))
    }


def captions(data):
    """By id, all texts of each sample."""
    counts = data.value_counts.get("text", np.ones(len(data), dtype=int))
    return {
        data.ids[row]: [data.with_values(row, {"text": number})["text"] for number in range(counts[row])]
        for row in range(len(data))
    }


def expected_captions(i):
    row = rows()[i]
    return [row["caption"]] + ([row["longer"]] if row["longer"] else [])


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_every_format_gives_the_same_samples(folder, tmp_path, ending):
    table = write_table(tmp_path / f"pairs.{ending}", rows())
    found = all_samples(path=table, root=folder, columns=COLUMNS, label_column="kind")
    assert set(found) == {f"pictures/{i}.png" for i in range(N)}
    for i in range(N):
        sample = found[f"pictures/{i}.png"]
        assert (sample["image"] == SHADE * i).all()
        assert sample["text"] == f"a {WORDS[i % 12]}, number {i}"
        assert ("audio" in sample.values) == bool(i % 4)
        if i % 4:
            assert len(sample["audio"]) == 800 + 10 * i
        assert sample.label == i % 2


def test_several_columns_a_list_and_several_rows_are_several_captions(folder, tmp_path):
    columns = {"image": "picture", "text": "caption"}
    lists = [{"picture": row["picture"], "caption": expected_captions(i)} for i, row in enumerate(rows())]
    each = [{"picture": of["picture"], "caption": text} for of in lists for text in of["caption"]]
    ways = {
        "columns": {"path": folder / "pairs.csv", "columns": {"image": "picture", "text": ["caption", "longer"]}},
        "list.jsonl": {"path": write_table(tmp_path / "list.jsonl", lists), "columns": columns},
        "list.parquet": {"path": write_table(tmp_path / "list.parquet", lists), "columns": columns},
        "rows": {"path": write_table(tmp_path / "rows.csv", each[::-1]), "columns": columns},
    }
    expected = {f"pictures/{i}.png": set(expected_captions(i)) for i in range(N)}
    versions = set()
    for parameters in ways.values():
        train, test = both("pairs_table", root=folder, **parameters)
        found = captions(train) | captions(test)
        assert {name: set(of) for name, of in found.items()} == expected
        assert train.value_counts["text"].max() == 2
        versions.add((tuple(train.ids), tuple(test.ids)))
    assert len(versions) == 1, "the seeded split does not depend on how the table is written"
    assert "the 60 rows of rows.csv are 36 samples" in train.notes


def test_an_empty_cell_lacks_the_modality_and_is_counted(folder):
    train, test = both("pairs_table", path=folder / "pairs.csv", columns=COLUMNS)
    for data in (train, test):
        numbers = [int(name.removeprefix("pictures/").removesuffix(".png")) for name in data.ids]
        assert data.present["audio"].tolist() == [bool(i % 4) for i in numbers]
        assert set(data.present) == {"audio"}
    assert (
        "9 of 36 samples of pairs.csv have no audio: pairs.csv:2, pairs.csv:6, pairs.csv:10 and 6 more" in train.notes
    )


@pytest.mark.parametrize("columns", ["word", "speaker", ["word", "speaker"]])
def test_no_concept_is_on_both_sides(folder, tmp_path, columns):
    table = rows()
    for i, row in enumerate(table):  # so that words and speakers do not all hang together
        row["speaker"] = f"s{i % 12 // 3}"
    path = write_table(tmp_path / "pairs.csv", table)
    sides = []
    for data in both("pairs_table", path=path, root=folder, columns=COLUMNS, group_column=columns):
        numbers = [int(name.removeprefix("pictures/").removesuffix(".png")) for name in data.ids]
        names = [columns] if isinstance(columns, str) else columns
        sides.append({(name, table[i][name]) for i in numbers for name in names})
        assert len(data.groups) == len(data)
    assert sides[0]
    assert sides[1]
    assert not sides[0] & sides[1]


def test_a_column_of_splits_and_folds(folder, tmp_path):
    table = [{**row, "part": ("train", "dev", "test")[i % 3], "fold": i % 5} for i, row in enumerate(rows())]
    path = write_table(tmp_path / "pairs.csv", table)
    how = {"path": path, "root": folder, "columns": COLUMNS}
    assert PairsTable.find_splits(path, split_column="part") == ("train", "validation", "test")
    dev = build("pairs_table", "validation", split_column="part", **how)
    assert set(dev.ids) == {f"pictures/{i}.png" for i in range(1, N, 3)}
    test = build("pairs_table", "test", split_column="fold", fold="3", **how)
    assert set(test.ids) == {f"pictures/{i}.png" for i in range(3, N, 5)}


def test_the_conformance_kit_finds_nothing(folder):
    registry = coview.load_plugins()
    modalities = {name: registry.build("modality", name) for name in ("audio", "image", "text")}
    parameters = {"path": folder / "pairs.csv", "columns": COLUMNS, "label_column": "kind", "group_column": "word"}
    checks = set(DATASET_CHECKS) - {"is_the_same_in_another_interpreter"}
    check_dataset(PairsTable, parameters={"modalities": modalities, **parameters}, only=checks)
    path = write_table(folder / "negatives.jsonl", with_negatives())
    more = {"path": path, "columns": {"image": "picture", "text": "caption"}, "negative_columns": {"text": "wrong"}}
    del modalities["audio"]
    check_dataset(PairsTable, parameters={"modalities": modalities, **more}, only=checks)


def test_a_value_is_read_by_its_modality_and_its_settings(folder, tmp_path):
    registry = coview.load_plugins()
    modality = {name: registry.build("modality", name) for name in ("image", "text")}
    reader = file_readers(modality, {"image": {"bits": 12}})["image"]
    assert (reader(folder / "pictures" / "3.png") == 3 * SHADE).all()
    path = write_table(tmp_path / "pairs.csv", rows())
    how = {"path": path, "root": folder, "columns": {"image": "picture", "text": "caption"}}
    for read, message in (
        ({"image": {"decode_siz": 8}}, 'read.image.decode_siz: unknown key, did you mean "decode_size"?'),
        ({"image": {"bits": 20}}, "read.image.bits: has to be less than or equal to 16, got 20"),
        ({"text": {"bits": 8}}, "read.text: here, only image can be read from files"),
    ):
        with pytest.raises(coview.CoviewError) as caught:
            build("pairs_table", read=read, **how)
        assert message in caught.value.message


def said(data, begin):
    return [note for note in data.notes if note.startswith(begin)]


def test_files_that_are_not_there_are_named_and_counted(folder, tmp_path):
    table = rows()
    table[5]["picture"] = "pictures/no.png"
    table[7]["sound"] = "sounds/no.wav"
    path = write_table(tmp_path / "pairs.csv", table)
    train, test = both("pairs_table", path=path, root=folder, columns=COLUMNS)
    assert said(train, "1 of the 36 files of image that pairs.csv names is not there: pairs.csv:7")
    assert said(train, "1 of the 27 files of audio that pairs.csv names is not there: pairs.csv:9")
    assert len(train.unreadable) == 2, "what cannot be used is trained on, where it is counted, and not tested on"
    assert not test.unreadable
    reasons = sorted(str(error) for error in train.unreadable.values())
    assert reasons == [
        f"pairs.csv:7: there is no such file as {folder}/pictures/no.png",
        f"pairs.csv:9: there is no such file as {folder}/sounds/no.wav",
    ]
    with pytest.raises(coview.SampleError, match=r"pairs.csv:7"):
        train[list(train.ids).index("pictures/no.png")]
    assert said(train, "2 of 36 samples of pairs.csv cannot be used: pairs.csv:")


def test_texts_that_are_none_and_texts_that_are_too_long_are_named_and_counted(folder, tmp_path):
    table = [{key: row[key] for key in ("picture", "caption")} for row in rows()]
    table[2]["caption"] = 7
    table[3]["caption"] = "x" * 101
    table[4] = {"picture": "", "caption": " "}
    table[6]["caption"] = {"en": "a small"}
    path = write_table(tmp_path / "pairs.jsonl", table)
    how = {"path": path, "root": folder, "columns": {"image": "picture", "text": "caption"}, "longest_text": 100}
    train, test = both("pairs_table", **how)
    assert len(train) + len(test) == N
    assert sorted(map(str, train.unreadable.values())) == [
        'pairs.jsonl:3: "caption" holds the int 7, which is not a text',
        'pairs.jsonl:4: "caption" has 101 characters, more than 100',
        "pairs.jsonl:5: has no value of any modality",
        "pairs.jsonl:7: \"caption\" holds the dict {'en': 'a small'}, which is not a text",
    ]
    assert said(train, '4 of 36 samples of pairs.jsonl cannot be used: pairs.jsonl:3 ("caption" holds the int 7,')


def test_captions_that_repeat_are_named_and_counted(folder, tmp_path):
    table = [{**row, "caption": "a thing" if i in (4, 9, 20) else row["caption"]} for i, row in enumerate(rows())]
    path = write_table(tmp_path / "pairs.csv", table)
    train, test = both("pairs_table", path=path, root=folder, columns=COLUMNS)
    assert said(train, "3 samples have a text that another has too, 1 in all: pairs.csv:6 and pairs.csv:11 (“a thing”)")
    sides = [{text for of in captions(data).values() for text in of} for data in (train, test)]
    assert not sides[0] & sides[1]


def test_a_table_of_which_nothing_can_be_used_is_refused(folder, tmp_path):
    path = write_table(tmp_path / "pairs.csv", [{"picture": "", "caption": ""}] * 3)
    with pytest.raises(
        coview.CoviewError, match=r"pairs.csv: no sample can be used; pairs.csv:2: has no value of any mod"
    ):
        build("pairs_table", path=path, columns={"image": "picture", "text": "caption"})
    path = write_table(tmp_path / "other.csv", [{"picture": "no.png", "caption": "x"}] * 3)
    with pytest.raises(coview.CoviewError, match="none of the 3 files of image that it names is there"):
        build("pairs_table", path=path, columns={"image": "picture", "text": "caption"})
    with pytest.raises(coview.CoviewError, match='has no column "pictur", did you mean "picture"'):
        build("pairs_table", path=path, columns={"image": "pictur", "text": "caption"})


def with_negatives():
    """Every third thing has none, thing 4 its own caption, thing 7 that of thing 10, and thing 9 two."""
    table = [
        {
            "picture": row["picture"],
            "caption": row["caption"],
            "wrong": [] if i % 3 == 2 else [f"no {WORDS[i % 12]} {i}"],
        }
        for i, row in enumerate(rows())
    ]
    table[4]["wrong"] = [table[4]["caption"]]
    table[7]["wrong"] = [table[10]["caption"]]
    table[9]["wrong"] += ["another that is wrong"]
    return table


def test_hard_negatives_are_of_their_rows(folder, tmp_path):
    path = write_table(tmp_path / "pairs.jsonl", with_negatives())
    how = {"path": path, "root": folder, "columns": {"image": "picture", "text": "caption"}}
    train, test = both("pairs_table", negative_columns={"text": "wrong"}, **how)
    found = {}
    for data in (train, test):
        assert data.negatives["text"].tolist() == [bool(data[row].negatives) for row in range(len(data))]
        for row in range(len(data)):
            counts = data.value_counts.get("negative", np.ones(len(data), dtype=int))
            numbers = range(counts[row] if data.negatives["text"][row] else 0)
            found[data.ids[row]] = [data.with_values(row, {"negative": n}).negatives["text"] for n in numbers]
    together = {f"pictures/{i}.png" for i in (7, 10)} <= set(train.ids) or {"pictures/7.png", "pictures/10.png"} <= set(
        test.ids
    )
    for i, row in enumerate(with_negatives()):
        expected = [] if i == 4 or (i == 7 and not together) else row["wrong"]
        assert [of.value for of in found[f"pictures/{i}.png"]] == expected
        assert all(of.id == ("pictures/10.png" if i == 7 else None) for of in found[f"pictures/{i}.png"])
    assert said(train, "1 hard negative is the sample's own text, and left out: pairs.jsonl:5")
    if not together:
        assert said(train, "1 hard negative is a text of another split, and left out: pairs.jsonl:8")


def test_what_is_of_another_split_is_no_hard_negative(folder, tmp_path):
    table = [{**row, "part": "test" if i == 10 else "train"} for i, row in enumerate(with_negatives())]
    path = write_table(tmp_path / "pairs.jsonl", table)
    how = {"path": path, "root": folder, "columns": {"image": "picture", "text": "caption"}, "split_column": "part"}
    train = build("pairs_table", negative_columns={"text": ["wrong"]}, **how)
    assert not train[list(train.ids).index("pictures/7.png")].negatives
    assert said(train, "1 hard negative is a text of another split, and left out: pairs.jsonl:8")


def test_hard_negatives_may_be_files(folder, tmp_path):
    table = [
        {**row, "wrong": f"pictures/{(i + 1) % N}.png" if i else "pictures/no.png"} for i, row in enumerate(rows())
    ]
    path = write_table(tmp_path / "pairs.csv", table)
    how = {"path": path, "root": folder, "columns": COLUMNS, "negative_columns": {"image": "wrong"}}
    train = build("pairs_table", **how)
    for row in range(len(train)):
        sample = train[row]
        i = int(sample.id.removeprefix("pictures/").removesuffix(".png"))
        if sample.negatives:
            negative = sample.negatives["image"]
            assert (negative.value == SHADE * ((i + 1) % N)).all()
            assert negative.id == f"pictures/{(i + 1) % N}.png"
    assert said(train, "1 of the 36 files of hard negatives that pairs.csv names is not there: pairs.csv:2")
    with pytest.raises(coview.CoviewError, match="negative_columns has to be of one of audio, image, text, got video"):
        build("pairs_table", path=path, root=folder, columns=COLUMNS, negative_columns={"video": "wrong"})


RECIPE = """\
schema = 1
name = "pairs"

[data]
use = "pairs_table"
path = "pairs.csv"
columns = { image = "picture", text = "caption" }
views = 1

[encoder.image]
use = "resnet18"

[encoder.text]
use = "text_transformer"

[loss]
use = "clip"

[optimizer]
use = "sgd"
lr = 0.1

[train]
steps = 1
batch_size = 8
"""


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ('{ imgae = "picture" }', 'recipe.toml:4: data: unknown modality "imgae", did you mean "image"?'),
        ('"picture"', 'recipe.toml:7: data.columns: has to be a table, got "picture"'),
        ("{ image = 3 }", "recipe.toml:7: data.columns: has to be a table of strings or arrays of strings, got {"),
        ("{}", 'recipe.toml:5: data.use: "pairs_table" does not say which modalities its samples have'),
    ],
)
def test_a_recipe_with_other_columns_is_refused_with_its_line(folder, columns, message):
    recipe = RECIPE.replace('{ image = "picture", text = "caption" }', columns)
    (folder / "recipe.toml").write_text(recipe)
    with pytest.raises(coview.RecipeError) as caught:
        coview.load_recipe(folder / "recipe.toml")
    assert message in str(caught.value)


def test_the_modalities_of_a_recipe_are_those_of_its_columns(folder):
    (folder / "recipe.toml").write_text(RECIPE)
    recipe = coview.load_recipe(folder / "recipe.toml")
    assert recipe.modalities == recipe.view_modalities == ("image", "text")
    again = coview.load_recipe(folder / "recipe.toml", sets=['data.columns={text="caption", image="picture"}'])
    assert again.modalities == ("image", "text")
    assert again.hash == recipe.hash


def test_an_encoder_of_somebody_elses_is_measured_on_a_column(folder):
    sets = [f"data.path={folder}/pairs.csv", 'data.columns={image="picture"}', "data.label_column=kind"]
    recipe = encoder_recipe("resnet18", "pairs_table", coview.load_plugins(), sets=sets)
    assert recipe.modalities == ("image",)


def test_what_is_not_asked_for_is_not_read(folder, tmp_path, monkeypatch):
    """Every caption is embedded without its picture; a recipe of pictures alone reads no sounds and no texts."""
    train = build("pairs_table", path=folder / "pairs.csv", columns=COLUMNS)
    read = []
    monkeypatch.setattr(
        "coview_image.picture_files.decode", lambda file, *_, **__: read.append(file) or np.zeros((2, 2))
    )
    monkeypatch.setattr("coview_audio.sound_files.read_at", lambda file, *_, **__: read.append(file))
    every = every_value(train, "text")
    assert len({every[at]["text"] for at in range(len(every))}) == len(every) > len(train)
    assert not read
    maker = ViewMaker(0, ("text",), [()], 1)
    batches = list(view_loader(train, maker, {"text": TextModality()}, [[(0, 0, 0), (0, 0, 1)]], workers=0))
    assert len(batches[0]) == 2
    assert not read
