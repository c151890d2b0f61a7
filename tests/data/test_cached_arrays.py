"""What was kept is read back, and what is damaged is none."""

import pickle

import numpy as np
import pytest

from coview import cached_arrays


@pytest.fixture
def kept(tmp_path):
    path = tmp_path / "kept.npz"
    np.savez_compressed(path, rows=np.arange(1000), names=np.array(["a", "b"]))
    return path


def test_arrays_come_back(kept):
    found = cached_arrays(kept, ("rows", "names"))
    assert list(found) == ["rows", "names"]
    assert found["rows"].sum() == 499500
    assert found["names"].tolist() == ["a", "b"]


def test_what_is_not_there_or_lacks_an_array_is_none(kept, tmp_path):
    assert cached_arrays(tmp_path / "none.npz", ("rows",)) is None
    assert cached_arrays(kept, ("rows", "more")) is None
    assert cached_arrays(tmp_path, ("rows",)) is None


@pytest.mark.parametrize("place", range(0, 900, 37))
def test_damage_anywhere_is_none_or_changes_nothing(kept, place):
    whole = cached_arrays(kept, ("rows", "names"))
    data = bytearray(kept.read_bytes())
    data[place % len(data)] ^= 0xFF
    kept.write_bytes(data)
    found = cached_arrays(kept, ("rows", "names"))
    assert found is None or all(np.array_equal(found[name], whole[name]) for name in whole)


def test_half_a_file_and_other_files_are_none(kept):
    data = kept.read_bytes()
    for text in (data[: len(data) // 2], b"", b"no archive", pickle.dumps({"rows": 1})):
        kept.write_bytes(text)
        assert cached_arrays(kept, ("rows",)) is None


def test_nothing_is_unpickled(tmp_path):
    path = tmp_path / "kept.npz"
    np.savez(path, rows=np.array([{"a": 1}], dtype=object))
    assert cached_arrays(path, ("rows",)) is None
