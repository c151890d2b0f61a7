"""Tar files of pairs: the samples that went in, from any process, and what is said of what is missing, damaged or cut off."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import tarfile
import tracemalloc

import numpy as np
import pytest
import soundfile
from PIL import Image
from safetensors.torch import load_file

import coview
from coview.builtin.datasets.pairs_shards import PairsShards
from coview.data import tar_files
from coview.data.loader import view_loader
from coview.data.order import Order, RankBatches
from coview.data.tar_files import TarFiles
from coview.data.views import ViewMaker
from coview.testing import DATASET_CHECKS, check_dataset
from paired_files import WORDS, both, build
from shard_files import write_tar

N = 36
MEMBERS = {"image": "jpg;png", "text": ["txt", "json:more"], "audio": "wav"}


def png(i):
    buffer = io.BytesIO()
    Image.fromarray(np.full((6, 6, 3), 5 * i, dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def wav(i):
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(100 + i, dtype=np.float32), 16000, format="WAV", subtype="FLOAT")
    return buffer.getvalue()


def members(i):
    """Sample i has a picture, a text, more texts in JSON, a class, and a sound unless it is a fourth one."""
    facts = {"more": [f"more {k} of {i}" for k in range(i % 3)], "word": WORDS[i % 12], "wrong": f"no {i}"}
    found = {"png": png(i), "txt": f"a {WORDS[i % 12]}, number {i}\n".encode(), "json": json.dumps(facts).encode()}
    found["cls"] = ("even", "odd")[i % 2].encode()
    if i % 4:
        found["wav"] = wav(i)
    return {f"{i:04}.{ending}": content for ending, content in found.items()}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path / "cache"))


def shards(folder, rows=range(N), each=12):
    for first in range(0, len(rows), each):
        files = {}
        for i in rows[first : first + each]:
            files |= members(i)
        write_tar(folder / f"{first // each}.tar", files)
    return folder


def number(name):
    return int(name.rpartition("/")[2])


def said(data, begin):
    return [note for note in data.notes if note.startswith(begin)]


def test_the_samples_that_went_in(tmp_path):
    train, test = both("pairs_shards", train=shards(tmp_path / "tars"), members=MEMBERS, label="cls")
    assert sorted([*train.ids, *test.ids]) == [f"{i // 12}.tar/{i:04}" for i in range(N)]
    for data in (train, test):
        for at, name in enumerate(data.ids):
            i, sample = number(name), data[at]
            assert (sample["image"] == 5 * i).all()
            assert data.value_counts["text"][at] == 1 + i % 3
            texts = [data.with_values(at, {"text": k})["text"] for k in range(1 + i % 3)]
            assert texts == [f"a {WORDS[i % 12]}, number {i}", *(f"more {k} of {i}" for k in range(i % 3))]
            assert ("audio" in sample.values) == bool(i % 4)
            if i % 4:
                assert len(sample["audio"]) == 100 + i
            assert data.classes[sample.label] == ("even", "odd")[i % 2]
    assert "9 of 36 samples of 3 tar files have no audio: 0.tar/0000, 0.tar/0004, 0.tar/0008 and 6 more" in train.notes
    assert pickle.loads(pickle.dumps(train))[3]["text"] == train[3]["text"]


def test_splits_are_those_of_the_files_or_of_a_concept(tmp_path):
    shards(tmp_path / "train", range(24))
    shards(tmp_path / "test", range(24, N))
    how = {"train": tmp_path / "train", "members": MEMBERS}
    train, test = both("pairs_shards", test=tmp_path / "test", **how)
    assert sorted(map(number, train.ids)) == list(range(24))
    assert test.ids[0] == "test/0.tar/0024"
    parts = {"test": tmp_path / "test", "validation": shards(tmp_path / "dev", range(N, N + 9))}
    assert set(map(number, build("pairs_shards", "validation", **parts, **how).ids)) == set(range(N, N + 9))
    with pytest.raises(coview.CoviewError, match=r"pairs shards: .*1\.tar is of several splits"):
        build("pairs_shards", test=tmp_path / "train" / "1.tar", **how)
    with pytest.raises(coview.CoviewError, match="validation is given without test"):
        build("pairs_shards", validation=tmp_path / "test", **how)
    sides = [
        {number(name) % 12 for name in data.ids}
        for data in both("pairs_shards", train=shards(tmp_path / "all"), members=MEMBERS, group="json:word")
    ]
    assert sides[0]
    assert sides[1]
    assert not sides[0] & sides[1]


class Stack:
    def collate(self, values):
        return [str(value) for value in values]


@pytest.mark.parametrize("workers", [0, 2])
def test_two_ranks_with_workers_see_each_sample_once_and_go_on_where_they_stopped(tmp_path, workers):
    data = build("pairs_shards", train=shards(tmp_path / "tars"), members=MEMBERS)
    order = Order(len(data), 8, 3)
    maker = ViewMaker(3, ("image", "text"), [(), ()], 2)

    def batches(start, stop, rank=0, ranks=1, workers=0):
        of_rank = RankBatches(order, start, stop, rank, ranks)
        loader = view_loader(data, maker, {"image": Stack(), "text": Stack()}, of_rank, workers=workers)
        return [(batch.rows, batch.inputs["image"], batch.inputs["text"]) for batch in loader]

    whole = batches(0, 6)
    shares = [batches(0, 6, rank, 2, workers) for rank in range(2)]
    for (rows, pictures, texts), first, second in zip(whole, *shares, strict=True):
        assert rows == first[0] + second[0]
        assert pictures == first[1] + second[1]
        assert texts == first[2] + second[2]
    for epoch in range(2):
        seen = [row for rows, *_ in whole[3 * epoch : 3 * epoch + 3] for row in rows]
        assert len(set(seen)) == len(seen) == 24
    assert {text for *_, texts in whole[:3] for text in texts} != {text for *_, texts in whole[3:] for text in texts}
    assert batches(2, 6, workers=workers) == whole[2:]


def test_hard_negatives_are_members_too(tmp_path):
    how = {"train": shards(tmp_path / "tars"), "members": MEMBERS, "negatives": {"text": "json:wrong"}}
    train = build("pairs_shards", **how)
    assert [train[at].negatives["text"].value for at in range(4)] == [f"no {number(train.ids[at])}" for at in range(4)]


def test_a_half_that_is_missing_and_one_that_is_damaged_are_named_and_counted(tmp_path):
    files = {}
    for i in range(20):
        files |= members(i)
    del files["0003.txt"], files["0003.json"], files["0006.png"]
    files["0007.txt"] = b"\xff\xfe\xfd"
    files["0008.json"] = b"{"
    files["0009.json"] = b"[1]"
    files["0010.png"] = b"no picture"
    files["0011.json"] = json.dumps({"more": 5}).encode()
    files["0012.txt"] = b"x" * 201
    files["0013.json"] = json.dumps({"more": "half \ud83d"}).encode()
    files["0014.txt"] = "a text".encode("utf-16-le")
    files["0015.txt"] = "a text with a mark".encode("utf-8-sig")
    write_tar(tmp_path / "a.tar", files)
    train, test = both("pairs_shards", train=tmp_path / "a.tar", members=MEMBERS, longest_text=200)
    assert said(train, "1 of 13 samples of 1 tar files have no image: a.tar/0006")
    assert said(train, "1 of 13 samples of 1 tar files have no text: a.tar/0003")
    assert sorted(map(str, train.unreadable.values())) == [
        "a.tar/0007: a.tar/0007.txt is not UTF-8: byte 0 is 0xff",
        "a.tar/0008: a.tar/0008.json is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 "
        "(char 1)",
        "a.tar/0009: a.tar/0009.json is JSON, but not an object",
        'a.tar/0011: "json:more" holds the int 5, which is not a text',
        'a.tar/0012: "txt" has 201 characters, more than 200',
        'a.tar/0013: "json:more" holds half of a character (a lone surrogate)',
        "a.tar/0014: a.tar/0014.txt has zero bytes in it, which a text never has",
    ]
    assert said(
        train, "7 of 20 samples of 1 tar files cannot be used: a.tar/0007 (a.tar/0007.txt is not UTF-8: byte 0 "
    )

    def sample(name):
        data = next(of for of in (train, test) if name in of.ids)
        return data[list(data.ids).index(name)]

    with pytest.raises(coview.SampleError, match=r"a\.tar/0010\.png: cannot be read as a picture"):
        sample("a.tar/0010")
    assert sample("a.tar/0015")["text"] == "a text with a mark"


@pytest.mark.parametrize("cut", ["within a picture", "within a header", "between two members", "without its end"])
def test_a_tar_that_is_cut_off_is_named_and_what_is_whole_is_used(tmp_path, cut):
    shards(tmp_path / "tars")
    path = tmp_path / "tars" / "1.tar"
    with tarfile.open(path) as archive:
        picture = archive.getmember("0020.png")
        end = archive.offset
    at = {
        "within a picture": picture.offset_data + 10,
        "within a header": picture.offset + 100,
        "between two members": picture.offset,
        "without its end": end,
    }[cut]
    path.write_bytes(path.read_bytes()[:at])
    train, test = both("pairs_shards", train=tmp_path / "tars", members=MEMBERS)
    where = picture.offset if cut == "within a header" else at
    assert said(train, f"1 of 3 tar files ends too early, as if cut off or damaged: {path} at byte {where:,}")
    there = {number(name) for name in [*train.ids, *test.ids]}
    lost = set() if cut == "without its end" else set(range(20, 24))
    assert there == set(range(N)) - lost
    assert not train.unreadable


def test_a_sample_that_is_cut_off_is_not_used_by_half(tmp_path):
    shards(tmp_path / "tars")
    path = tmp_path / "tars" / "1.tar"
    with tarfile.open(path) as archive:
        text = archive.getmember("0021.txt")
    path.write_bytes(path.read_bytes()[: text.offset_data + 3])
    train = build("pairs_shards", train=tmp_path / "tars", members=MEMBERS)
    fault = "has no wav, txt, json, and its tar file ends there too early"
    assert [str(error) for error in train.unreadable.values()] == [f"1.tar/0021: {fault}"]
    assert said(train, f"1 of 34 samples of 3 tar files cannot be used: 1.tar/0021 ({fault})")


def test_a_sample_whose_group_is_cut_off_is_not_used(tmp_path):
    shards(tmp_path / "tars")
    path = tmp_path / "tars" / "1.tar"
    with tarfile.open(path) as archive:
        facts = archive.getmember("0021.json")
    path.write_bytes(path.read_bytes()[: facts.offset_data + 3])
    train = build("pairs_shards", train=tmp_path / "tars", members={"image": "png", "text": "txt"}, group="json:word")
    fault = "has no json, and its tar file ends there too early"
    assert [str(error) for error in train.unreadable.values()] == [f"1.tar/0021: {fault}"]


def test_an_empty_tar_is_cut_off_at_its_first_byte(tmp_path):
    shards(tmp_path / "tars")
    (tmp_path / "tars" / "9.tar").write_bytes(b"")
    train, test = both("pairs_shards", train=tmp_path / "tars", members=MEMBERS)
    assert len(train) + len(test) == N
    assert said(train, f"1 of 4 tar files ends too early, as if cut off or damaged: {tmp_path}/tars/9.tar at byte 0")
    with pytest.raises(
        coview.CoviewError, match=r"no complete member in 1 tar files of test; 1 of 4 tar files ends too"
    ):
        build("pairs_shards", train=tmp_path / "tars" / "[0-2].tar", test=tmp_path / "tars" / "9.tar", members=MEMBERS)


def test_members_that_repeat_are_named_and_counted(tmp_path):
    shards(tmp_path / "tars")
    with tarfile.open(tmp_path / "tars" / "1.tar", "a") as archive:
        for name in ("0014.png", "0017.PNG"):
            entry = tarfile.TarInfo(name)
            entry.size = len(png(50))
            archive.addfile(entry, io.BytesIO(png(50)))
    train = build("pairs_shards", train=tmp_path / "tars", members=MEMBERS)
    assert sorted(map(str, train.unreadable.values())) == [
        "1.tar/0014: 1.tar/0014.png is there twice",
        "1.tar/0017: 1.tar/0017.png and 1.tar/0017.PNG have the same ending",
    ]
    assert said(
        train, "2 of 36 samples of 3 tar files cannot be used: 1.tar/0014 (1.tar/0014.png is there twice), 1.tar"
    )


def test_a_file_that_is_damaged_in_the_middle_ends_there(tmp_path):
    shards(tmp_path / "tars")
    path = tmp_path / "tars" / "2.tar"
    with tarfile.open(path) as archive:
        damaged = archive.getmember("0030.png").offset
    content = bytearray(path.read_bytes())
    content[damaged : damaged + 512] = b"?" * 512
    path.write_bytes(content)
    train = build("pairs_shards", train=tmp_path / "tars", members=MEMBERS)
    assert said(train, f"1 of 3 tar files ends too early, as if cut off or damaged: {path} at byte {damaged:,}")


def test_what_cannot_be_read_at_all_is_refused(tmp_path):
    with pytest.raises(coview.CoviewError, match=r"pairs shards .*none: there are no such tar files"):
        build("pairs_shards", train=tmp_path / "none", members=MEMBERS)
    write_tar(tmp_path / "empty" / "a.tar", {"readme.md": b"hello"})
    with pytest.raises(
        coview.CoviewError, match=r"no sample can be used; a\.tar/readme: has md, and none of wav, jpg;png, txt, json"
    ):
        build("pairs_shards", train=tmp_path / "empty", members=MEMBERS)
    write_tar(tmp_path / "none.tar", {})
    with pytest.raises(coview.CoviewError, match=r"none\.tar: there is no complete member in 1 tar files of train$"):
        build("pairs_shards", train=tmp_path / "none.tar", members=MEMBERS)
    with pytest.raises(coview.CoviewError, match='"json:picture" is a field of a JSON object, and image is read from'):
        build("pairs_shards", train=tmp_path / "empty", members={"image": "json:picture", "text": "txt"})
    (tmp_path / "junk.tar").write_bytes(b"?" * 3000)
    with pytest.raises(coview.CoviewError, match=r"junk\.tar cannot be read as a tar file"):
        build("pairs_shards", train=tmp_path / "junk.tar", members=MEMBERS)


def test_members_are_read_as_tarfile_reads_them(tmp_path):
    folder = shards(tmp_path / "tars")
    tars = TarFiles(sorted(folder.iterdir()))
    expected = {}
    for tar in sorted(folder.iterdir()):
        with tarfile.open(tar) as archive:
            expected |= {f"{tar.name}/{m.name}": archive.extractfile(m).read() for m in archive}
    for of in (tars, TarFiles(sorted(folder.iterdir()))):  # the second by the index that the first has kept
        assert {of.name(member): of.content(member) for member in range(len(of))} == expected
    assert not tars.cut_off
    tars.forget_texts()
    assert {tars.name(member): tars.content(member) for member in range(len(tars))} == expected


def test_more_files_than_a_process_may_have_open(tmp_path, monkeypatch):
    monkeypatch.setattr(tar_files, "_MOST_OPEN", 2)
    data = build("pairs_shards", train=shards(tmp_path / "tars", each=4), members=MEMBERS)
    before = len(os.listdir("/proc/self/fd"))
    for at in [*range(len(data)), *range(len(data))]:
        assert (data[at]["image"] == 5 * number(data.ids[at])).all()
    assert len(os.listdir("/proc/self/fd")) <= before + 2


def test_a_tar_that_becomes_shorter_later_is_named(tmp_path):
    data = build("pairs_shards", train=shards(tmp_path / "tars"), members=MEMBERS)
    at = max(at for at, name in enumerate(data.ids) if name.startswith("1.tar"))
    os.truncate(tmp_path / "tars" / "1.tar", 600)
    with pytest.raises(coview.SampleError, match=r"1\.tar/0023\.\w+: has \d+ of \d+ bytes: its tar file has become"):
        data[at]


def test_a_sample_takes_no_objects(tmp_path):
    """Python keeps half a kilobyte and more for a dictionary and a few texts of each sample."""
    files = {}
    for i in range(1500):
        files |= {f"{i:06}.png": b"picture", f"{i:06}.txt": f"a {WORDS[i % 12]}, number {i}".encode()}
    write_tar(tmp_path / "many.tar", {**files, "000000.png": png(0), "001499.png": png(0)})
    how = {"train": tmp_path / "many.tar", "members": {"image": "png", "text": "txt"}}
    build("pairs_shards", **how)  # what is imported stays
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    data = build("pairs_shards", **how)
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert taken / len(data) < 450


RECIPE = """
schema = 1
name = "shards"

[data]
use = "pairs_shards"
train = "tars"
members = { image = "png", text = ["txt", "json:more"] }
views = 1
workers = 0

[encoder.image]
use = "resnet18"
stem = "small"
width = 4

[encoder.text]
use = "text_transformer"
vocabulary = 300
width = 8
layers = 1
heads = 2

[projector.image]
width = 8

[projector.text]
width = 8

[loss]
use = "clip"

[optimizer]
use = "adamw"
lr = 0.01

[train]
steps = 10
batch_size = 8
checkpoint_every = 2
"""


@pytest.mark.slow
def test_a_run_goes_on_in_the_middle_of_an_epoch_to_the_same_weights(tmp_path, call):
    """An epoch has three steps: the sixth ends one, and the eighth, after which it goes on, does not."""
    shards(tmp_path / "tars")
    weights = {}
    for workers in (0, 2):
        recipe = tmp_path / "recipe.toml"
        recipe.write_text(RECIPE.replace("workers = 0", f"workers = {workers}"))
        out = tmp_path / f"workers-{workers}"
        assert call("run", recipe, "--out", out).status == 0
        (run,) = (out / "shards").iterdir()
        last = run / "checkpoints" / "step-10"
        weights[workers, "whole"] = load_file(last / "weights.safetensors")
        shutil.rmtree(last)
        environment = json.loads((run / "environment.json").read_text())
        (run / "environment.json").write_text(json.dumps({**environment, "finished": None}))
        done = call("run", recipe, "--out", out, "--resume")
        assert (done.status, "from step 8 " in done.err) == (0, True), done.err
        weights[workers, "resumed"] = load_file(last / "weights.safetensors")
    first, *others = weights.values()
    for other in others:
        assert first.keys() == other.keys()
        assert all(first[name].equal(other[name]) for name in first)


def test_the_conformance_kit_finds_nothing(tmp_path):
    registry = coview.load_plugins()
    modalities = {name: registry.build("modality", name) for name in ("audio", "image", "text")}
    parameters = {"modalities": modalities, "train": shards(tmp_path / "tars"), "members": MEMBERS, "label": "cls",
                  "group": ("json:word",), "negatives": {"text": "json:wrong"}}  # fmt: skip
    check_dataset(PairsShards, parameters=parameters, only=set(DATASET_CHECKS) - {"is_the_same_in_another_interpreter"})
