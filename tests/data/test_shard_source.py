"""Copies of files at an address: whole after broken connections, and a message where they break too often."""

from __future__ import annotations

import errno
import io

import fsspec
import pytest

import coview
from coview.data import shard_source
from coview.data.shard_cache import Growing, RefusedError
from coview.data.shard_source import copy, read_small
from shard_files import serving

CONTENT = bytes(range(256)) * 4000


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(shard_source, "PAUSES", (0.01, 0.01, 0.01))
    monkeypatch.setattr(shard_source, "_CHUNK", 100_000)


def copied(address):
    file = io.BytesIO()
    target = Growing(file, lambda need, _: need)
    copy(address, {}, target)
    target.finish()
    return file.getvalue()


@pytest.mark.parametrize("ranges", [True, False])
def test_a_copy_is_whole_after_connections_that_break(tmp_path, ranges):
    (tmp_path / "0.tar").write_bytes(CONTENT)
    with serving(tmp_path, ranges=ranges) as server:
        assert copied(f"{server.address}/0.tar") == CONTENT
        server.breaks = [70_000, 5]
        assert copied(f"{server.address}/0.tar") == CONTENT
        assert not server.breaks


def test_after_a_break_only_the_rest_is_asked_for(tmp_path):
    (tmp_path / "0.tar").write_bytes(CONTENT)
    with serving(tmp_path) as server:
        copied(f"{server.address}/0.tar")
        usual = [first for _, first in server.asked]
        server.asked.clear()
        server.breaks = [10]
        copied(f"{server.address}/0.tar")
        assert sorted({first for _, first in server.asked}) == usual
        assert len(server.asked) <= len(usual) + 2  # the HTTP library may try once more by itself


def test_other_addresses(tmp_path):
    with fsspec.open("memory://bucket/0.tar", "wb") as file:
        file.write(CONTENT)
    assert copied("memory://bucket/0.tar") == CONTENT
    assert read_small("memory://bucket/none.json", {}) is None
    with pytest.raises(coview.CoviewError, match=r"memory://bucket/1\.tar: there is no such file"):
        copied("memory://bucket/1.tar")
    with pytest.raises(coview.CoviewError, match=r"nowhere://bucket/1\.tar: Protocol not known: nowhere"):
        copied("nowhere://bucket/1.tar")


def test_messages_of_a_server(tmp_path, capsys):
    (tmp_path / "0.tar").write_bytes(CONTENT)
    with serving(tmp_path) as server:
        with pytest.raises(coview.CoviewError, match=r"/1\.tar: there is no such file"):
            copied(f"{server.address}/1.tar")
        server.away = True
        with pytest.raises(coview.CoviewError) as caught:
            copied(f"{server.address}/0.tar")
    assert f"{server.address}/0.tar: the connection has broken, 4 times in a row: Server" in str(caught.value)
    assert "the same command with --resume continues the run" in str(caught.value)
    assert "trying again" in capsys.readouterr().err


def test_a_full_disk_is_no_broken_connection(tmp_path):
    (tmp_path / "0.tar").write_bytes(CONTENT)

    class Full(io.BytesIO):
        def write(self, _):
            raise OSError(errno.ENOSPC, "No space left on device")

    with serving(tmp_path) as server:
        with pytest.raises(RefusedError, match="No space left"):
            copy(f"{server.address}/0.tar", {}, Growing(Full(), lambda need, _: need))
        assert len(server.asked) == 1
