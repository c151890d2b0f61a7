"""Shards of a data set on the hub, as Hugging Face's library reads them: from a hub on this machine."""

from __future__ import annotations

import io

import huggingface_hub.constants
import pytest

import coview
from coview.data import shard_source
from coview.data.shard_cache import Growing
from coview.data.shard_source import copy, read_small
from hub_server import hub_of
from paired_files import build
from shard_files import write_shards

CONTENT = bytes(range(256)) * 4000


@pytest.fixture(autouse=True)
def once(monkeypatch, tmp_path):
    """Nothing is tried again: that would be told as a broken connection."""
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(shard_source, "PAUSES", ())


def copied(hub, path):
    file = io.BytesIO()
    target = Growing(file, lambda need, _: need)
    copy(f"hf://datasets/owner/{path}", {"endpoint": hub.address}, target)
    target.finish()
    return file.getvalue()


def test_a_copy_comes_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(shard_source, "_CHUNK", 400_000)
    (tmp_path / "0.tar").write_bytes(CONTENT)
    with hub_of(tmp_path) as hub:
        assert copied(hub, "name/0.tar") == CONTENT
    assert hub.asked == [("0.tar", 0), ("0.tar", 400_000), ("0.tar", 800_000)]


def test_what_is_not_there(tmp_path):
    with hub_of(tmp_path) as hub:
        for path in ("name/0.tar", "other/0.tar"):
            with pytest.raises(coview.CoviewError, match=rf"^hf://datasets/owner/{path}: there is no such file"):
                copied(hub, path)
            assert read_small(f"hf://datasets/owner/{path}", {"endpoint": hub.address}) is None


def test_what_only_some_may_read(tmp_path):
    (tmp_path / "0.tar").write_bytes(CONTENT)
    with hub_of(tmp_path) as hub:
        hub.gated = True
        with pytest.raises(coview.CoviewError) as caught:
            copied(hub, "name/0.tar")
    assert str(caught.value).startswith(
        "hf://datasets/owner/name/0.tar cannot be read: GatedRepoError: 403 Client Error."
    )
    assert "Access to dataset owner/name is restricted" in str(caught.value)


def test_where_the_hub_is_not_to_be_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with (
        hub_of(tmp_path) as hub,
        pytest.raises(coview.CoviewError, match="cannot be read: OfflineModeIsEnabled: Cannot"),
    ):
        read_small("hf://datasets/owner/name/sizes.json", {"endpoint": hub.address})


def test_samples_of_tar_files(tmp_path):
    write_shards(tmp_path / "files" / "data", (7, 5))
    with hub_of(tmp_path / "files") as hub:
        given = {"members": {"image": "png", "text": "txt"}, "label": "cls", "classes": 4}
        train = "hf://datasets/owner/name/data/*.tar"
        data = build("streamed_tars", train=train, options={"endpoint": hub.address}, **given)
        assert len(data) == 12
        for i in range(12):
            sample = data[i]
            assert (sample["image"] == i).all()
            assert (sample["text"], sample.label) == (f"text {i}", i % 4)
