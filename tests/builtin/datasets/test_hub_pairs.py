"""Several columns of a Hugging Face data set, saved by its library: what a sample has, how they are split, what is refused."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from PIL import Image

import coview
from coview.testing import DATASET_CHECKS, check_dataset
from paired_files import build

datasets = pytest.importorskip("datasets")

N = 30
COLUMNS = {"image": "picture", "text": "captions", "audio": "sound"}


def png(row):
    buffer = io.BytesIO()
    Image.fromarray(np.full((6, 6, 3), 5 * row, dtype=np.uint8)).save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": None}


def wav(row):
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(100 + row, dtype=np.float32), 16000, format="WAV", subtype="FLOAT")
    return {"bytes": buffer.getvalue(), "path": None}


def table(rows):
    """Row i has a picture, 1 + i % 3 captions, a sound unless it is a fourth one, and the word and class of i % 6."""
    features = datasets.Features(
        {
            "picture": datasets.Image(),
            "captions": [datasets.Value("string")],
            "sound": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")},
            "word": datasets.Value("string"),
            "kind": datasets.ClassLabel(names=["odd", "even"]),
            "wrong": datasets.Value("string"),
        }
    )
    return datasets.Dataset.from_dict(
        {
            "picture": [png(row) for row in rows],
            "captions": [[f"caption {k} of {row}" for k in range(1 + row % 3)] for row in rows],
            "sound": [wav(row) if row % 4 else None for row in rows],
            "word": [f"w{row % 6}" for row in rows],
            "kind": [1 - row % 2 for row in rows],
            "wrong": [f"no {row}" if row % 2 else None for row in rows],
        },
        features=features,
    ).cast_column("sound", datasets.Audio())  # the library asks for a codec to encode, even of bytes


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """With a split to test on, as ``save_to_disk`` writes it."""
    folder = tmp_path_factory.mktemp("hub") / "pairs"
    datasets.DatasetDict({"train": table(range(20)), "test": table(range(20, N))}).save_to_disk(folder)
    return f"core/hub:{folder}"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Without one."""
    folder = tmp_path_factory.mktemp("hub") / "whole"
    datasets.DatasetDict({"train": table(range(N))}).save_to_disk(folder)
    return f"core/hub:{folder}"


def number(name):
    return int(name.partition("/")[2])


def test_a_sample_has_what_its_columns_have(saved):
    train, test = (build(saved, split, columns=COLUMNS) for split in ("train", "test"))
    assert (train.modalities, train.classes) == (("audio", "image", "text"), ("odd", "even"))
    assert sorted(train.ids) == sorted(f"train/{row}" for row in range(20))
    for data, first in ((train, 0), (test, 20)):
        for at, name in enumerate(data.ids):
            row, sample = first + number(name), data[at]
            assert (sample["image"] == 5 * row).all()
            assert ("audio" in sample.values) == bool(row % 4)
            if row % 4:
                assert len(sample["audio"]) == 100 + row
            assert data.value_counts["text"][at] == 1 + row % 3
            last = data.with_values(at, {"text": row % 3})
            assert (sample["text"], last["text"]) == (f"caption 0 of {row}", f"caption {row % 3} of {row}")
            assert data.classes[sample.label] == ("even", "odd")[row % 2]


def test_no_word_is_on_both_sides_of_a_split_that_is_made_here(whole):
    train, test = (build(whole, split, columns=COLUMNS, group="word") for split in ("train", "test"))
    assert sorted(map(number, [*train.ids, *test.ids])) == list(range(N))
    words = [{number(name) % 6 for name in data.ids} for data in (train, test)]
    assert words[0]
    assert words[1]
    assert not words[0] & words[1]
    assert any("has no split to test on: 20% of its samples are held out" in note for note in train.notes)


def test_a_split_to_validate_on_stays_where_the_test_split_is_made_here(tmp_path):
    parts = datasets.DatasetDict({"train": table(range(20)), "extra": table(range(20, N))})
    parts.save_to_disk(tmp_path / "validated")
    use, how = f"core/hub:{tmp_path}/validated", {"columns": COLUMNS, "validation_split": "extra"}
    train, validation, test = (build(use, split, **how) for split in ("train", "validation", "test"))
    assert sorted(validation.ids) == sorted(f"extra/{row}" for row in range(N - 20))
    assert sorted([*train.ids, *test.ids]) == sorted(f"train/{row}" for row in range(20))
    assert len(test) == 4


def test_rows_of_one_name_are_one_sample(whole):
    train, test = (build(whole, split, columns=COLUMNS, sample="word", label="") for split in ("train", "test"))
    assert sorted([*train.ids, *test.ids]) == [f"w{word}" for word in range(6)]
    assert train.value_counts["image"].tolist() == [5] * len(train)


def test_hard_negatives(saved):
    train = build(saved, columns=COLUMNS, negatives={"text": "wrong"})
    for at, name in enumerate(train.ids):
        negatives = train[at].negatives
        assert [of.value for of in negatives.values()] == ([f"no {number(name)}"] if number(name) % 2 else [])


def test_a_file_that_is_damaged_is_named(tmp_path):
    rows = table(range(8))
    broken = [{"bytes": b"no picture", "path": None} if row == 3 else png(row) for row in range(8)]
    rows = rows.remove_columns("picture").add_column("picture", broken, feature=datasets.Image(decode=False))
    rows.cast_column("picture", datasets.Image()).save_to_disk(tmp_path / "broken")
    data = [build(f"core/hub:{tmp_path}/broken", split, columns={"image": "picture"}) for split in ("train", "test")]
    (part, at) = next((of, list(of.ids).index("train/3")) for of in data if "train/3" in of.ids)
    with pytest.raises(coview.SampleError, match=r"broken train/3: cannot be read as a picture"):
        part[at]


def test_the_first_rows_streamed(saved):
    data = build(saved, columns=COLUMNS, first=6)
    assert sorted(data.ids) == [f"train/{row}" for row in range(6)]
    assert data.present["audio"].sum() == 4


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"columns": {"image": "pictur"}}, 'has no column "pictur", did you mean "picture"'),
        ({"columns": {"image": "word"}}, 'the column "word" holds string, but image is read from files'),
        ({"columns": {"text": "captions", "image": "captions"}}, 'the column "captions" holds List, but image is read'),
        ({"columns": {"text": "captions"}, "negatives": {"image": "picture"}}, "negatives has to be of one of text"),
        ({"columns": {"text": "captions"}, "group": "speaker"}, 'has no column "speaker"'),
    ],
)
def test_columns_that_do_not_suit_are_refused(saved, parameters, message):
    with pytest.raises(coview.CoviewError) as caught:
        build(saved, **parameters)
    assert message in caught.value.message


def test_the_conformance_kit_finds_nothing(saved):
    registry = coview.load_plugins()
    modalities = {name: registry.build("modality", name) for name in ("audio", "image", "text")}
    factory = registry.resolve("dataset", saved).factory()
    parameters = {"modalities": modalities, "columns": COLUMNS, "group": "word", "negatives": {"text": "wrong"}}
    check_dataset(factory, parameters=parameters, only=set(DATASET_CHECKS) - {"is_the_same_in_another_interpreter"})


def test_a_recipe_gives_the_parameters_of_all_data_sets_of_the_hub(saved):
    known = {one.name for one in coview.load_plugins().parameters("dataset", saved).parameters}
    assert {
        "columns",
        "read",
        "sample",
        "group",
        "negatives",
        "config",
        "revision",
        "validation_split",
        "first",
    } <= known
    assert {"path", "split", "modalities"}.isdisjoint(known)
