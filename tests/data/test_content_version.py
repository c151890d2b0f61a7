"""Versions of data by their content: what changes them, what does not, and what is read again."""

from __future__ import annotations

import hashlib
import os
import shutil

import pytest

from coview import content_version
from coview.data import content_version as module
from coview.data.content_version import file_digests


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache" / "digests"


@pytest.fixture
def files(tmp_path):
    (tmp_path / "data").mkdir()
    paths = [tmp_path / "data" / f"{i}.bin" for i in range(300)]
    for i, path in enumerate(paths):
        path.write_bytes(bytes([i % 251]) * (i + 1))
    return paths


@pytest.fixture
def later(monkeypatch):
    """The files have been left alone for a while."""
    now = module.time.time_ns() + 60 * 10**9
    monkeypatch.setattr(module.time, "time_ns", lambda: now)


def by_hand(paths):
    return [hashlib.blake2b(path.read_bytes(), digest_size=16).digest() for path in paths]


def no_reading(path):
    raise AssertionError(f"{path} is read again")


def test_digests_are_those_of_the_files_read_one_by_one(files):
    assert file_digests(files) == by_hand(files)


def test_a_file_is_read_once(files, later, monkeypatch):
    expected = file_digests(files)
    monkeypatch.setattr(module, "_content", no_reading)
    assert file_digests(files) == expected
    assert file_digests(files[:10]) == expected[:10]
    os.utime(files[7])
    with pytest.raises(AssertionError, match=r"/7\.bin is read again"):
        file_digests(files)


def test_what_was_written_just_now_is_not_trusted_to_stay(files, monkeypatch):
    file_digests(files)
    monkeypatch.setattr(module, "_content", no_reading)
    with pytest.raises(AssertionError, match="is read again"):
        file_digests(files)


def test_another_content_of_the_same_size_and_time_is_noticed(files, later):
    before = content_version(300, "files", [], files=files)
    state = files[9].stat()
    files[9].write_bytes(b"z" * state.st_size)
    os.utime(files[9], ns=(state.st_atime_ns, state.st_mtime_ns))
    assert content_version(300, "files", [], files=files) != before
    assert file_digests(files) == by_hand(files)


def test_it_is_the_same_wherever_the_files_lie(files, tmp_path):
    rows = [("train", path.name, "a") for path in files]
    before = content_version(300, "files", rows, files=files)
    shutil.copytree(tmp_path / "data", tmp_path / "elsewhere")
    moved = [tmp_path / "elsewhere" / path.name for path in files]
    assert content_version(300, "files", rows, files=moved) == before
    assert before.startswith("300 files ")


@pytest.mark.parametrize("change", ["label", "split", "order", "gone"])
def test_what_is_known_of_the_files_counts(files, change):
    rows = [["train", path.name, "a"] for path in files]
    before = content_version(300, "files", rows, files=files)
    if change == "label":
        rows[3][2] = "b"
    elif change == "split":
        rows[3][0] = "test"
    elif change == "order":
        rows[3], rows[4] = rows[4], rows[3]
    else:
        files[3].unlink()
    assert content_version(300, "files", rows, files=files) != before


@pytest.mark.parametrize("damage", ["half", "nothing", "other", "a folder"])
def test_a_cache_that_is_damaged_costs_time_only(files, cache, later, damage):
    expected = file_digests(files)
    (kept,) = cache.glob("*.npz")
    if damage == "a folder":
        kept.unlink()
        kept.mkdir()
    else:
        whole = kept.read_bytes()
        kept.write_bytes({"half": whole[: len(whole) // 2], "nothing": b"", "other": b"PK\3\4" + b"x" * 99}[damage])
    assert file_digests(files) == expected


def test_it_works_where_nothing_can_be_kept(files, cache):
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text("a file where the folder should be")
    assert file_digests(files) == by_hand(files)


def test_what_is_no_longer_there_is_forgotten_in_time(files, cache, later):
    file_digests(files)
    for round_ in range(20):
        for path in files[:200]:
            path.write_bytes(bytes([round_]) * 7)
        file_digests(files)
    (kept,) = cache.glob("*.npz")
    assert kept.stat().st_size < 32 * (2 * 300 + 1000 + 300)
