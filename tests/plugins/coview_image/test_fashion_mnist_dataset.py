"""The format on tiny files written here; the real data where Debian's package has put it."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

import coview
from coview_image.datasets import fashion_mnist
from coview_image.datasets.fashion_mnist import FashionMNIST

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def idx(array: np.ndarray, kind: int = 8) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def tiny(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {}
    for prefix, n in (("train", 12), ("t10k", 5)):
        images = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        labels = rng.integers(0, 10, n, dtype=np.uint8)
        arrays[prefix] = images, labels
        (tmp_path / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
        (tmp_path / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))
    return tmp_path, arrays


def test_reads_the_arrays(tiny):
    root, arrays = tiny
    for split, prefix, first in (("train", "train", 0), ("test", "t10k", 60000)):
        data = FashionMNIST(split=split, root=root)
        images, labels = arrays[prefix]
        assert isinstance(data, coview.Dataset)
        assert len(data) == len(labels)
        for i in range(len(data)):
            sample = data[i]
            assert np.array_equal(sample["image"], images[i])
            assert sample["image"].flags.writeable
            assert sample.label == labels[i]
            assert sample.id == first + i
        assert data[-1].id == first + len(data) - 1
        with pytest.raises(IndexError):
            data[len(data)]


def test_looks_in_the_cache_folder(tiny, tmp_path_factory, monkeypatch):
    root, _ = tiny
    home = tmp_path_factory.mktemp("home")
    monkeypatch.delenv("COVIEW_DATA", raising=False)
    for variable, folder in (
        ("COVIEW_DATA", home / "data" / "fashion_mnist"),
        ("XDG_CACHE_HOME", home / "cache" / "coview" / "data" / "fashion_mnist"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(variable, str(folder.parent if variable == "COVIEW_DATA" else home / "cache"))
            folder.mkdir(parents=True)
            with pytest.raises(
                coview.CoviewError, match=r"no train-images-idx3-ubyte\.gz and no train-labels"
            ) as caught:
                FashionMNIST()
            assert str(folder) in caught.value.message
            assert "coview data fetch fashion_mnist --again" in caught.value.hint
            for path in root.iterdir():
                (folder / path.name).write_bytes(path.read_bytes())
            with pytest.raises(coview.CoviewError, match="not the official file"):
                FashionMNIST()


def test_a_root_without_the_files_is_not_passed_over(tmp_path):
    with pytest.raises(coview.CoviewError, match="has no train-images") as caught:
        FashionMNIST(root=tmp_path)
    assert str(tmp_path) in caught.value.message
    assert str(DEBIAN) not in caught.value.message


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("train-images-idx3-ubyte.gz", lambda b: b[: len(b) // 2], "cannot be decompressed"),
        ("train-images-idx3-ubyte.gz", lambda b: b"no gzip", "cannot be decompressed"),
        ("train-images-idx3-ubyte.gz", lambda b: b"", "not an IDX file|cannot be decompressed"),
        ("train-images-idx3-ubyte.gz", lambda b: gzip.compress(b"<html>"), "not an IDX file of bytes in 3 dimensions"),
        ("train-images-idx3-ubyte.gz", lambda b: gzip.compress(gzip.decompress(b)[:-9]), "bytes of data"),
        (
            "train-labels-idx1-ubyte.gz",
            lambda b: gzip.compress(idx(np.zeros(12, ">i4"), 12)),
            "not an IDX file of bytes",
        ),
        ("train-labels-idx1-ubyte.gz", lambda b: gzip.compress(idx(np.zeros(7, np.uint8))), "12 pictures but 7 labels"),
        ("train-labels-idx1-ubyte.gz", lambda b: gzip.compress(idx(np.full(12, 10, np.uint8))), "0 to 9, got 10"),
    ],
)
def test_damage_is_explained(tiny, name, damage, message):
    root, _ = tiny
    path = root / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(coview.CoviewError, match=message):
        FashionMNIST(root=root)


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_the_real_data(monkeypatch, tmp_path):
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path))
    for split, n in (("train", 60000), ("test", 10000)):
        data = FashionMNIST(split=split)
        assert len(data) == n
        assert np.bincount([data[i].label for i in range(0, n, 10)], minlength=10).min() > 0.08 * n / 10
    assert data.classes[data[0].label] == "Ankle boot"


def test_a_file_that_unpacks_to_too_much_is_a_message(tiny, monkeypatch):
    folder, _ = tiny
    bomb = folder / "train-images-idx3-ubyte.gz"
    bomb.write_bytes(gzip.compress(bytes(2**16)))
    monkeypatch.setattr(fashion_mnist, "_LARGEST", 2**15)
    with pytest.raises(coview.CoviewError, match=r"unpacks to more than 32,768 bytes"):
        fashion_mnist.FashionMNIST(root=folder)
