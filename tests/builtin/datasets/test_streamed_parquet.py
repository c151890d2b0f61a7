"""Parquet files that are streamed, as pyarrow and the Hugging Face library write them."""

from __future__ import annotations

import json

import datasets
import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import coview
from coview.builtin.datasets.streamed_parquet import StreamedParquet
from coview.data import parquet_store, shard_source
from coview.testing import DATASET_CHECKS, check_dataset
from paired_files import build
from shard_files import png, serving, taken

COLUMNS = {"image": "image", "text": "caption"}
SIZES = (7, 90, 4, 130, 6, 11)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(shard_source, "PAUSES", (0.01, 0.01, 0.01))
    return tmp_path / "cache"


def table_of(rows):
    """Row i: a picture of the grey i % 256, a caption, a class, a speaker, and noise that no recipe reads."""
    noise = np.random.default_rng(0)
    return {
        "image": [{"bytes": png(i % 256), "path": f"{i}.png"} for i in rows],
        "caption": [f"text {i}" for i in rows],
        "kind": [i % 4 for i in rows],
        "speaker": [f"s{i % 5}" for i in rows],
        "noise": [noise.bytes(2000) for _ in rows],
    }


def write(folder, sizes=SIZES, first=0):
    folder.mkdir(parents=True, exist_ok=True)
    for number, size in enumerate(sizes):
        rows = range(first, first + size)
        pq.write_table(pa.table(table_of(rows)), folder / f"{number:03}.parquet", row_group_size=50)
        first += size
    return folder


ABOUT = {"columns": COLUMNS, "label": "kind", "classes": ["a", "b", "c", "d"], "group": "speaker"}


def check_samples(data, expected):
    assert len(data) == len(expected)
    for row, i in enumerate(expected):
        sample = data[row]
        assert (sample["image"] == i % 256).all()
        assert (sample["text"], sample.label, sample.group) == (f"text {i}", i % 4, f"s{i % 5}")


def test_the_rows_that_went_in(tmp_path, cache):
    write(tmp_path / "train")
    write(tmp_path / "test", (5, 6), first=1000)
    given = {"train": tmp_path / "train", "test": tmp_path / "test", **ABOUT}
    train, test = (build("streamed_parquet", split, **given) for split in ("train", "test"))
    check_samples(train, range(sum(SIZES)))
    check_samples(test, range(1000, 1011))
    assert train[8].id == "train/001.parquet/1"
    assert train.shard_sizes == SIZES
    assert train.classes == ("a", "b", "c", "d")
    # what no recipe reads is not kept
    assert taken(cache / "streamed") < 0.2 * taken(tmp_path / "train")


def test_from_addresses(tmp_path):
    files = write(tmp_path / "files")
    for path in files.iterdir():
        with fsspec.open(f"memory://rows/{path.name}", "wb") as file:
            file.write(path.read_bytes())
    check_samples(build("streamed_parquet", train="memory://rows/*.parquet", **ABOUT), range(sum(SIZES)))
    with serving(files) as server:
        data = build("streamed_parquet", train=f"{server.address}/{{000..005}}.parquet", **ABOUT)
        check_samples(data, range(sum(SIZES)))
        server.away = True
        with pytest.raises(coview.CoviewError, match=r"sizes\.json: the connection has broken, 4 times in a row"):
            build("streamed_parquet", train=f"{server.address}/{{005..007}}.parquet", **ABOUT)


def test_as_the_hugging_face_library_writes_them(tmp_path):
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "caption": datasets.Value("string"),
            "kind": datasets.ClassLabel(names=["cat", "dog", "owl", "bee"]),
        }
    )
    rows = {name: values for name, values in table_of(range(40)).items() if name in features}
    whole = datasets.Dataset.from_dict(rows, features=features)
    for number in range(2):
        whole.shard(2, number, contiguous=True).to_parquet(tmp_path / "hub" / f"train-{number}.parquet")
    data = build("streamed_parquet", train=tmp_path / "hub", columns=COLUMNS, label="kind")
    assert data.classes == ("cat", "dog", "owl", "bee")
    for i in (0, 19, 20, 39):
        assert (data[i]["image"] == np.asarray(whole[i]["image"])).all()
        assert (data[i]["text"], data[i].label) == (whole[i]["caption"], whole[i]["kind"])


def test_what_cannot_be_read_is_said(tmp_path):
    table = table_of(range(4))
    table["caption"][1] = None
    table["image"][2] = {"bytes": b"no picture", "path": None}
    (tmp_path / "one").mkdir()
    pq.write_table(pa.table(table), tmp_path / "one" / "0.parquet")
    data = build("streamed_parquet", train=tmp_path / "one", columns=COLUMNS)
    for row, reason in ((1, "has no caption"), (2, "0.parquet/2")):
        with pytest.raises(coview.SampleError, match=reason):
            data[row]
    assert data[3]["text"] == "text 3"
    with pytest.raises(coview.CoviewError, match=r'0\.parquet has no column "title" \(there is image, caption, kind'):
        build("streamed_parquet", train=tmp_path / "one", columns={"text": "title"})[0]
    (tmp_path / "one" / "sizes.json").write_text(json.dumps({"0.parquet": 5}))
    with pytest.raises(coview.CoviewError, match=r"0\.parquet has 4 samples, and is said to have 5"):
        build("streamed_parquet", train=tmp_path / "one", columns={"text": "caption"})[0]
    (tmp_path / "one" / "0.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(coview.CoviewError, match=r"0\.parquet cannot be read as a Parquet file"):
        build("streamed_parquet", train=tmp_path / "one", columns={"text": "caption"})[0]


def test_a_connection_that_breaks_in_the_middle_begins_anew(tmp_path, monkeypatch):
    files = write(tmp_path / "files", (150,))
    data = build("streamed_parquet", train=files, **ABOUT)
    whole, times = parquet_store._content, []

    def breaks(value):
        times.append(value)
        if len(times) in (100, 400):
            raise ConnectionResetError("reset by peer")
        return whole(value)

    monkeypatch.setattr(parquet_store, "_content", breaks)
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path / "another"))
    again = build("streamed_parquet", train=files, **ABOUT)
    assert len(times) > 400
    check_samples(again, range(150))
    check_samples(data, range(150))


def test_the_conformance_kit_finds_nothing(tmp_path):
    registry = coview.load_plugins()
    modalities = {name: registry.build("modality", name) for name in ("image", "text")}
    parameters = {"modalities": modalities, "train": write(tmp_path / "files", (9, 8)), **ABOUT}
    parameters["classes"] = ("a", "b", "c", "d")
    only = set(DATASET_CHECKS) - {"is_the_same_in_another_interpreter"}
    check_dataset(StreamedParquet, parameters=parameters, only=only)
