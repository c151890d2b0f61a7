"""Tar files that are streamed: the samples that went in, from anywhere, in bounded room, and what is said of damage."""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys
from itertools import chain
from pathlib import Path
from threading import Event, Thread

import fsspec
import numpy as np
import pytest
import torch

import coview
from coview.builtin.datasets.streamed_tars import StreamedTars
from coview.data import shard_source
from coview.data.file_lock import LockHeldError, file_lock
from coview.data.loader import view_loader
from coview.data.order import RankBatches
from coview.data.shard_cache import ShardCache
from coview.data.shard_order import ShardOrder
from coview.data.views import ViewMaker
from coview.testing import DATASET_CHECKS, check_dataset
from paired_files import build
from shard_files import members, serving, taken, write_shards, write_tar

MEMBERS = {"image": "jpg;png", "text": "txt"}
ABOUT = {"members": MEMBERS, "label": "cls", "classes": 4, "group": "json:speaker"}
SIZES = (7, 9, 4, 8, 6, 11)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(shard_source, "PAUSES", (0.01, 0.01, 0.01))
    return tmp_path / "cache"


def number(name):
    return int(name.rpartition("/")[2])


def check_samples(data, expected):
    assert [number(data[row].id) for row in range(len(data))] == list(expected)
    for row, i in enumerate(expected):
        sample = data[row]
        assert (sample["image"] == i).all()
        assert (sample["text"], sample.label, sample.group) == (f"text {i}", i % 4, f"s{i % 5}")


def test_the_samples_that_went_in(tmp_path):
    write_shards(tmp_path / "tars" / "train", SIZES)
    write_shards(tmp_path / "tars" / "test", (5, 6), first=100)
    given = {"train": tmp_path / "tars" / "train", "test": tmp_path / "tars" / "test", **ABOUT}
    train, test = (build("streamed_tars", split, **given) for split in ("train", "test"))
    check_samples(train, range(45))
    check_samples(test, range(100, 111))
    assert train[0].id == "train/000.tar/00000"
    assert train.shard_sizes == SIZES
    assert train.classes == ("0", "1", "2", "3")
    assert train.version == test.version
    assert pickle.loads(pickle.dumps(train))[44]["text"] == "text 44"
    assert set(train.read_modalities(3, ["text"]).values) == {"text"}
    by_name = build("streamed_tars", **{**given, "label": "json:kind", "classes": ["kind 1", "kind 0", "x", "y"]})
    assert [by_name[row].label for row in (0, 1)] == [1, 0]
    with pytest.raises(coview.SampleError, match="has the class 'kind 2', which is none of the 4 classes"):
        by_name[2]


def test_splits_are_those_that_are_given(tmp_path):
    tars = write_shards(tmp_path / "tars", SIZES)
    assert StreamedTars.find_splits(train=tars) == ("train",)
    assert StreamedTars.find_splits(train=tars, test=tars, validation=tars) == ("train", "validation", "test")
    with pytest.raises(coview.CoviewError, match=r"streamed tar files: .*000\.tar is of several splits"):
        build("streamed_tars", train=tars, test=tars / "000.tar", **ABOUT)
    with pytest.raises(coview.CoviewError, match="label is given without classes"):
        build("streamed_tars", train=tars, members=MEMBERS, label="cls")


def test_from_addresses(tmp_path):
    tars = write_shards(tmp_path / "tars", SIZES)
    for path in tars.iterdir():
        with fsspec.open(f"memory://bucket/data/{path.name}", "wb") as file:
            file.write(path.read_bytes())
    for given in (
        "memory://bucket/data",
        "memory://bucket/data/*.tar",
        "memory://bucket/data/sizes.json",
        f"file://{tars}",
    ):
        check_samples(build("streamed_tars", train=given, **ABOUT), range(45))
    with serving(tars) as server:
        check_samples(build("streamed_tars", train=f"{server.address}/{{000..005}}.tar", **ABOUT), range(45))
        check_samples(build("streamed_tars", train=f"{server.address}/sizes.json", **ABOUT), range(45))
        check_samples(
            build("streamed_tars", train=f"{server.address}/{{001,003}}.tar", **ABOUT), [*range(7, 16), *range(20, 28)]
        )


def test_numbers_of_samples_are_said_or_counted_once(tmp_path, capsys):
    tars = write_shards(tmp_path / "counted", SIZES, said=False)
    assert build("streamed_tars", train=tars, **ABOUT).shard_sizes == SIZES
    with serving(tars) as server:
        for times in range(2):
            assert build("streamed_tars", train=f"{server.address}/{{000..005}}.tar", **ABOUT).shard_sizes == SIZES
            assert len([name for name, _ in server.asked if name.endswith(".tar")]) == 6, times
    assert capsys.readouterr().err.count("counting the samples of 6 shards of streamed tar files once") == 1
    (tars / "sizes.json").write_text(
        json.dumps(
            {"wids_version": 1, "shardlist": [{"url": f"{k:03}.tar", "nsamples": n} for k, n in enumerate(SIZES)]}
        )
    )
    assert build("streamed_tars", train=tars, **ABOUT).shard_sizes == SIZES
    (tars / "sizes.json").write_text(json.dumps({f"{k:03}.tar": 2 for k in range(5)}))
    with pytest.raises(coview.CoviewError, match=r"sizes\.json says nothing of .*005\.tar"):
        build("streamed_tars", train=tars, **ABOUT)
    (tars / "sizes.json").write_text("[3]")
    with pytest.raises(coview.CoviewError, match=r"sizes\.json has to say how many samples each shard has"):
        build("streamed_tars", train=tars, **ABOUT)
    (tars / "sizes.json").unlink()
    (tars / "000_stats.json").write_text(json.dumps({"count": 9, "successes": 6}))
    with pytest.raises(coview.CoviewError, match=r"000\.tar has 7 samples, and is said to have 6"):
        build("streamed_tars", train=tars, **ABOUT)


def test_webdatasets_own_members_are_no_samples_and_members_need_not_be_in_order(tmp_path):
    files = {"__header__": b"{}", **members(0), **members(1), "00000.JPG": members(0)["00000.png"]}
    files["a/b.c.txt"] = b"of b"
    write_tar(tmp_path / "0.tar", files)
    data = build("streamed_tars", train=tmp_path / "0.tar", members={"text": "c.txt;txt"})
    assert [(data[row].id, data[row]["text"]) for row in range(3)] == [
        ("0.tar/00000", "text 0"), ("0.tar/00001", "text 1"), ("0.tar/a/b", "of b")
    ]  # fmt: skip


def test_what_is_wrong_with_a_shard(tmp_path):
    tars = write_shards(tmp_path / "tars", SIZES)
    whole = (tars / "003.tar").read_bytes()
    (tars / "003.tar").write_bytes(whole[: len(whole) // 2])
    data = build("streamed_tars", train=tars, **ABOUT)
    data[19]
    with pytest.raises(
        coview.CoviewError,
        match=r"003\.tar has \d samples, and is said to have 8; it ends at byte [\d,]+, as if cut off",
    ):
        data[20]
    (tars / "003.tar").unlink()
    with pytest.raises(coview.CoviewError, match=r"003\.tar: there is no such file"):
        build("streamed_tars", train=tars / "sizes.json", **ABOUT)[20]
    (tars / "003.tar").write_bytes(b"\x1f\x8b" + bytes(5000))
    with pytest.raises(
        coview.CoviewError, match=r"003\.tar cannot be read as a tar file.*; sample 0 of 003\.tar was to be"
    ):
        build("streamed_tars", train=tars, **ABOUT)[20]
    with pytest.raises(coview.CoviewError, match="there are no such files"):
        build("streamed_tars", train=tars / "*.parquet", **ABOUT)
    with pytest.raises(coview.CoviewError, match=r"006\.tar: there is no such file"):
        build("streamed_tars", train=f"{tars}/{{000..009}}.tar", **ABOUT)


def test_a_sample_that_cannot_be_read_is_one_sample(tmp_path):
    files = {name: content for i in range(6) for name, content in members(i).items()}
    del files["00000.txt"]
    files |= {"00001.txt": b"\xff", "00002.png": b"no picture", "00003.json": b"{", "00004.cls": b"77"}
    tars = write_tar(tmp_path / "0.tar", files)
    data = build("streamed_tars", train=tars, **ABOUT)
    reasons = []
    for row in range(5):
        with pytest.raises(coview.SampleError) as caught:
            data[row]
        reasons.append(caught.value.reason)
    assert reasons[0] == "has no txt"
    assert reasons[1].startswith("txt is not UTF-8")
    assert "image" in reasons[2] or "picture" in reasons[2]
    assert reasons[3].startswith("json:speaker is not JSON")
    assert reasons[4].startswith("has the class '77'")
    assert data[5]["text"] == "text 5"


class Greys:
    def collate(self, values):
        return torch.tensor([int(value.flat[0]) for value in values])


def batches_of(data, order, start, stop, rank=0, ranks=1, workers=0):
    """The rows of the batches, of which row i has the grey i."""
    maker = ViewMaker(seed=1, modalities=("image",), pipelines=[()], global_views=1)
    found = []
    for batch in view_loader(
        data, maker, {"image": Greys()}, RankBatches(order, start, stop, rank, ranks), workers=workers
    ):
        assert batch.inputs["image"].tolist() == [row % 256 for row in batch.rows]
        found.append(list(batch.rows))
    return found


def order_of(data, batch=8, seed=5):
    return ShardOrder(len(data), batch, seed, sizes=data.shard_sizes, at_once=data.shards_at_once)


def test_ranks_and_workers_see_the_batches_of_one_process(tmp_path):
    sizes = (13, 9, 14, 8, 16, 11, 12, 10)
    with serving(write_shards(tmp_path / "tars", sizes)) as server:
        data = build("streamed_tars", train=f"{server.address}/sizes.json", shards_at_once=4, **ABOUT)
        order = order_of(data)
        stop = 2 * order.batches_per_epoch
        alone = batches_of(data, order, 0, stop)
        for epoch in (alone[: stop // 2], alone[stop // 2 :]):
            samples = list(chain(*epoch))
            assert len(samples) == len(set(samples)) == len(data) // 8 * 8
        both = [batches_of(data, order, 0, stop, rank, 2, workers=2) for rank in (0, 1)]
        assert [one + other for one, other in zip(*both, strict=True)] == alone
        assert batches_of(data, order, 7, stop, workers=2) == alone[7:]


def test_the_cache_never_takes_more_than_it_may(tmp_path, cache):
    """Ten of the shards fit, of 150 kB each, and a batch is of three."""
    tars = write_shards(tmp_path / "tars", (40,) * 16, padding=2000)
    largest = max(path.stat().st_size for path in tars.glob("*.tar"))
    bound = 10 * largest
    most, done = [0], Event()

    def watch():
        while not done.wait(0.005):
            most[0] = max(most[0], taken(cache / "streamed"))

    with serving(tars) as server:
        given = {"train": f"{server.address}/sizes.json", "shards_at_once": 3, "cache_gb": bound / 2**30}
        data = build("streamed_tars", **given, **ABOUT)
        watching = Thread(target=watch)
        watching.start()
        try:
            samples = list(chain(*batches_of(data, order_of(data), 0, 80, workers=2)))
        finally:
            done.set()
            watching.join()
    assert sorted(samples) == list(range(640))
    assert largest < most[0] <= bound
    fetched = [name for name, first in server.asked if name.endswith(".tar") and first == 0]
    assert len(fetched) <= 28  # each once, but for those that two lanes share, and those that a slow worker still needs


def test_a_shard_gets_its_name_while_nobody_counts(tmp_path, monkeypatch):
    """Who lists a folder while a file in it is renamed may see the file under neither name."""
    counted, replace = [], Path.replace

    def watched(path, target):
        try:
            with file_lock(tmp_path / "locks" / "room", wait=False):
                counted.append("could have been")
        except LockHeldError:
            counted.append("could not")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", watched)
    path = ShardCache(tmp_path, 1000).fetched("shard", lambda file: file.write(b"content"), size=7)
    assert path.read_bytes() == b"content"
    assert counted == ["could not"]


def test_a_cache_that_is_too_small_is_said_at_once(tmp_path):
    tars = write_shards(tmp_path / "tars", (20,) * 6, padding=2000)
    with (
        serving(tars) as server,
        pytest.raises(
            coview.CoviewError, match=r"data\.cache_gb leaves room for 0\.2 MB of shards, and 6 of up to 0\.\d MB"
        ),
    ):
        build("streamed_tars", train=f"{server.address}/sizes.json", cache_gb=0.2 / 2**10, **ABOUT)


def test_connections_that_break_change_nothing(tmp_path):
    tars = write_shards(tmp_path / "tars", SIZES)
    with serving(tars) as server:
        given = {"train": f"{server.address}/sizes.json", "shards_at_once": 2, **ABOUT}
        data = build("streamed_tars", **given)
        server.breaks = [100, 2000, 0, 300, 7000, 1]
        order = order_of(data)
        calm = build("streamed_tars", train=tars, shards_at_once=2, **ABOUT)
        assert batches_of(data, order, 0, 10) == batches_of(calm, order, 0, 10)
        assert not server.breaks
        server.away = True
        shard_gone = build("streamed_tars", train=tars, shards_at_once=2, **ABOUT)
        assert len(shard_gone) == 45


def test_a_server_that_is_away_is_named_with_the_sample(tmp_path):
    tars = write_shards(tmp_path / "tars", SIZES)
    with serving(tars) as server:
        data = build("streamed_tars", train=f"{server.address}/sizes.json", **ABOUT)
        server.away = True
        with pytest.raises(coview.CoviewError) as caught:
            data[20]
    assert re.search(
        r"http://127\.0\.0\.1:\d+/003\.tar: the connection has broken, 4 times in a row: Server.*; "
        r"sample 0 of 003\.tar was to be read",
        str(caught.value),
    )
    assert "the same command with --resume continues the run" in str(caught.value)


FULL = """
import resource, signal, sys
from pathlib import Path
from coview.data.shard_cache import ShardCache
from coview.errors import CoviewError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    ShardCache(Path(sys.argv[1]), 10**9).fetched("0.tar", lambda target: target.write(bytes(30_000)))
except CoviewError as error:
    sys.exit(str(error))
"""


def test_a_disk_that_refuses_is_named(tmp_path):
    command = [sys.executable, "-c", FULL, str(tmp_path / "streamed")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert f"{tmp_path}/streamed: shards cannot be kept there (File too large)" in done.stderr
    assert "give another folder by COVIEW_DATA, or a smaller data.cache_gb" in done.stderr


def test_few_shards_at_once_are_said(tmp_path):
    tars = write_shards(tmp_path / "tars", SIZES)
    (note,) = build("streamed_tars", train=tars, shards_at_once=2, **ABOUT).notes
    assert note.startswith("a batch has samples of 2 of 6 shards")
    assert build("streamed_tars", train=tars, **ABOUT).notes == ()


def test_the_conformance_kit_finds_nothing(tmp_path):
    registry = coview.load_plugins()
    modalities = {name: registry.build("modality", name) for name in ("image", "text")}
    parameters = {"modalities": modalities, "train": write_shards(tmp_path / "tars", SIZES), **ABOUT}
    check_dataset(
        StreamedTars, parameters=parameters, only=set(DATASET_CHECKS) - {"is_the_same_in_another_interpreter"}
    )


def test_samples_are_those_that_webdataset_writes_and_reads(tmp_path):
    webdataset = pytest.importorskip("webdataset")
    with webdataset.ShardWriter(str(tmp_path / "%04d.tar"), maxcount=7, verbose=0) as writer:
        for i in range(30):
            grey = np.full((6, 6, 3), i, dtype=np.uint8)
            facts = {"speaker": f"s{i % 5}"}
            writer.write({"__key__": f"{i:05}", "png": grey, "txt": f"text {i}", "cls": i % 4, "json": facts})
    files = sorted(map(str, tmp_path.glob("*.tar")))
    theirs = [sample["__key__"] for sample in webdataset.WebDataset(files, shardshuffle=False)]
    data = build("streamed_tars", train=tmp_path, **ABOUT)
    assert [data[row].id.rpartition("/")[2] for row in range(30)] == theirs
    check_samples(data, range(30))
