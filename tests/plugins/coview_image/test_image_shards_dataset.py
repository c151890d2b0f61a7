"""Tar files of pictures: read by place, from any process, the same as the files that went in."""

from __future__ import annotations

import io
import os
import pickle
import tarfile

import numpy as np
import pytest
from PIL import Image

import coview
from coview.data import tar_files
from coview.data.loader import sample_loader
from coview_image.datasets.image_shards import ImageShards
from coview_image.modality import ImageModality


def picture(row):
    return np.random.default_rng(row).integers(0, 256, (9, 11, 3)).astype(np.uint8)


def png(row):
    buffer = io.BytesIO()
    Image.fromarray(picture(row)).save(buffer, "PNG")
    return buffer.getvalue()


def write(path, files):
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tar_index"


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "shards"
    path.mkdir()
    for shard in range(3):
        files = {}
        for row in range(shard * 10, shard * 10 + 10):
            files |= {f"{row:04}.png": png(row), f"{row:04}.cls": str(row % 2).encode(), f"{row:04}.json": b"{}"}
        write(path / f"train-{shard}.tar", files)
    return path


def test_the_pictures_that_went_in(folder):
    data = [ImageShards(split=split, train=str(folder), test_fraction=0.2) for split in ("train", "test")]
    assert isinstance(data[0], coview.Dataset)
    assert [len(part) for part in data] == [24, 6]
    samples = [part[i] for part in data for i in range(len(part))]
    assert sorted(sample.id for sample in samples) == sorted(f"train-{row // 10}.tar/{row:04}.png" for row in range(30))
    for sample in samples:
        row = int(sample.id.split("/")[1][:4])
        assert np.array_equal(sample["image"], picture(row))
        assert sample.label == row % 2
    assert data[0].classes == ("0", "1")
    assert ImageShards(train=str(folder), classes=("even", "odd")).classes == ("even", "odd")


def test_splits_by_pattern(folder):
    train, test = (
        ImageShards(split=split, train=str(folder / "train-[01].tar"), test=str(folder / "train-2.tar"))
        for split in ("train", "test")
    )
    assert (len(train), len(test)) == (20, 10)
    assert {test[i].id.split("/")[0] for i in range(10)} == {"train-2.tar"}


def test_workers_read_the_same(folder):
    data = ImageShards(train=str(folder))
    data[0]  # opened in this process, before there are others
    batches = [
        [
            batch.inputs["image"]
            for batch in sample_loader(data, "image", ImageModality(), batch_size=5, workers=workers)
        ]
        for workers in (0, 2)
    ]
    assert all(a.equal(b) for a, b in zip(*batches, strict=True))
    assert np.array_equal(pickle.loads(pickle.dumps(data))[3]["image"], data[3]["image"])


def test_the_index_is_made_once_and_again_for_another_file(folder, cache, monkeypatch):
    first = ImageShards(train=str(folder))
    assert len(list(cache.glob("*.npz"))) == 3

    def read(tar):
        raise AssertionError(f"{tar} is read again")

    monkeypatch.setattr(tar_files, "read_tar_index", read)
    again = ImageShards(train=str(folder))
    assert again.version == first.version
    assert np.array_equal(again[5]["image"], first[5]["image"])
    os.utime(folder / "train-1.tar", (1, 1))
    with pytest.raises(AssertionError, match=r"train-1\.tar is read again"):
        ImageShards(train=str(folder))


def test_without_labels_there_are_no_classes(tmp_path):
    write(tmp_path / "a.tar", {f"x/{row}.png": png(row) for row in range(5)})
    data = ImageShards(train=str(tmp_path / "a.tar"))
    assert data.classes is None
    assert data[0].label is None


def test_a_damaged_picture_is_named_and_a_damaged_file_is_a_message(tmp_path):
    write(tmp_path / "a.tar", {"1.png": b"nothing", "2.png": png(2)})
    data = ImageShards(train=str(tmp_path / "a.tar"), test=str(tmp_path / "a.tar"))
    with pytest.raises(coview.SampleError, match=r"a.tar/1.png: cannot be read as a picture"):
        data[0]
    (tmp_path / "b.tar").write_bytes(b"x" * 2000)
    with pytest.raises(coview.CoviewError, match=r"b\.tar cannot be read as a tar file"):
        ImageShards(train=str(tmp_path / "b.tar"))


def test_what_is_not_there_is_said(tmp_path, folder):
    with pytest.raises(coview.CoviewError, match="there are no such tar files"):
        ImageShards(train=str(tmp_path / "none-*.tar"))
    with pytest.raises(coview.CoviewError, match="1 classes are named, but there is a class 1"):
        ImageShards(train=str(folder), classes=("one",))
    write(tmp_path / "empty.tar", {"readme.txt": b"hello"})
    with pytest.raises(coview.CoviewError, match="no pictures in 1 tar files"):
        ImageShards(train=str(tmp_path / "empty.tar"))


def add_sparse(path, size):
    """A member of GNU's old sparse kind, which says that it has so many bytes, of which 512 are stored."""
    entry = tarfile.TarInfo("z.png")
    entry.type, entry.size = tarfile.GNUTYPE_SPARSE, 512
    header = bytearray(entry.tobuf(tarfile.GNU_FORMAT))
    header[386:398], header[398:410] = b"%011o\0" % 0, b"%011o\0" % 512
    header[483:495] = bytes([128]) + size.to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    before = path.read_bytes().rstrip(b"\0")
    path.write_bytes(before + b"\0" * (-len(before) % 512) + header + b"A" * 512 + b"\0" * 1024)


def test_a_sparse_member_is_skipped_however_large_it_says_it_is(tmp_path):
    write(tmp_path / "a.tar", {f"{row}.png": png(row) for row in range(9)})
    add_sparse(tmp_path / "a.tar", 2**40)
    data = ImageShards(split="train", train=str(tmp_path), test=str(tmp_path))
    assert len(data) == 10
    assert (data[8]["image"] == picture(8)).all()
    with pytest.raises(coview.SampleError, match=r"a\.tar/z\.png: is stored as a sparse file"):
        data[9]


def test_a_member_that_is_too_large_is_skipped(tmp_path, monkeypatch):
    write(tmp_path / "a.tar", {f"{row}.png": png(row) for row in range(9)})
    monkeypatch.setattr(tar_files, "_LARGEST", len(png(3)) - 1)
    with pytest.raises(coview.SampleError, match=r"a\.tar/3\.png: has \d+ bytes, more than"):
        ImageShards(split="train", train=str(tmp_path), test=str(tmp_path))[3]


@pytest.mark.parametrize("label", ["1180591620717411303424", "1000000000000", "1000000", "-2", "0x1", "", "1.5", "²"])
def test_a_label_that_is_no_number_of_a_class_is_named(tmp_path, label):
    files = {f"{row}.png": png(row) for row in range(9)} | {f"{row}.cls": b"1" for row in range(9)}
    write(tmp_path / "a.tar", files | {"4.cls": label.encode()})
    with pytest.raises(coview.CoviewError, match=r"a\.tar/4\.cls has to hold the number of a class") as caught:
        ImageShards(split="train", train=str(tmp_path))
    assert "compressed" not in caught.value.hint


def test_a_header_that_says_it_is_a_terabyte_is_a_message(tmp_path):
    write(tmp_path / "a.tar", {f"{row}.png": png(row) for row in range(9)})
    entry = tarfile.TarInfo("pax")
    entry.type, entry.size = tarfile.XHDTYPE, 2**40
    before = (tmp_path / "a.tar").read_bytes().rstrip(b"\0")
    header = entry.tobuf(tarfile.GNU_FORMAT)
    (tmp_path / "a.tar").write_bytes(before + b"\0" * (-len(before) % 512) + header + b"\0" * 1024)
    with pytest.raises(coview.CoviewError, match=r"a\.tar cannot be read as a tar file"):
        ImageShards(split="train", train=str(tmp_path))


@pytest.mark.parametrize("damage", ["half", "nothing", "junk", "another", "ragged"])
def test_an_index_that_is_damaged_is_made_again(folder, cache, damage):
    expected = ImageShards(split="train", train=str(folder))
    for path in cache.glob("*.npz"):
        whole = path.read_bytes()
        path.write_bytes(
            {"half": whole[: len(whole) // 2], "nothing": b"", "junk": b"PK\3\4" + b"x" * 90}.get(damage, b"")
        )
        if damage == "another":
            np.savez(path, name=np.array([b"a.png"]))
        if damage == "ragged":
            parts = ("names", "name_end_M", "offset_M", "size_M", "texts", "text_end_M", "is_kept_M")
            np.savez(path, cut_at=np.zeros(1), **dict.fromkeys(parts, np.zeros(2)))
    found = ImageShards(split="train", train=str(folder))
    assert found.version == expected.version
    assert (found[3]["image"] == expected[3]["image"]).all()
    assert all(np.load(path)["offset_M"].size == 30 for path in cache.glob("*.npz")), "and kept"


def test_one_missing_label_costs_no_other(tmp_path):
    files = {}
    for row in range(40):
        files |= {f"{row:04}.png": png(row)} | ({} if row == 7 else {f"{row:04}.cls": b"%d" % (row % 2)})
    write(tmp_path / "a.tar", files | {"0039.cls": b"-1"})
    parts = [ImageShards(split=split, train=str(tmp_path)) for split in ("train", "test")]
    assert parts[0].classes == ("0", "1")
    (note,) = parts[0].notes
    assert note == "2 of 40 pictures have no label in a .cls file: a.tar/0007.png, a.tar/0039.png"
    for data in parts:
        for index in range(len(data)):
            row = int(data[index].id.split("/")[1][:4])
            assert data[index].label == (None if row in (7, 39) else row % 2)


def test_a_class_of_the_test_files_alone_is_said(tmp_path):
    for name, classes in (("train", "01"), ("test", "012")):
        files = {}
        for row in range(6):
            files |= {f"{row:04}.png": png(row), f"{row:04}.cls": classes[row % len(classes)].encode()}
        write(tmp_path / f"{name}.tar", files)
    data = ImageShards(train=str(tmp_path / "train.tar"), test=str(tmp_path / "test.tar"))
    assert data.notes == ("the class 2 cannot be learned: its samples are all in the test split",)


def test_the_version_is_of_the_test_files_too(folder):
    tars = [str(folder / f"train-{i}.tar") for i in range(3)]
    one, two = (ImageShards(train=tars[0], test=test).version for test in tars[1:])
    assert one != two


def test_a_name_that_is_no_path_is_a_message(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("n" * 100_000 + ".png"))
    with pytest.raises(coview.CoviewError, match=r"x\.tar cannot be read .* the name of n{40}… has 100,004 bytes"):
        ImageShards(train=str(tmp_path / "x.tar"))


def test_what_is_known_of_a_picture_is_read_without_it(folder):
    data = ImageShards(train=str(folder))
    whole = data[2]
    assert (data.read_modalities(2, ("image",))["image"] == whole["image"]).all()
    data = ImageShards(train=str(folder))
    for shard in folder.iterdir():
        shard.unlink()
    found = data.read_modalities(2, ())
    assert (found.id, found.label, dict(found.values)) == (whole.id, whole.label, {})
