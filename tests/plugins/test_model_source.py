"""Pretrained models by name: what a name is, and what a person is told when nothing loads."""

from __future__ import annotations

import pytest
from huggingface_hub import constants
from transformers.utils import logging

import coview

CONTENTS = "what a test asks for"


def test_a_folder_that_has_the_file(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert coview.folder_or_hub_id("hf", "~/model", "config.json") == str(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    assert coview.folder_or_hub_id("hf", "./model", "config.json") == "model"
    with pytest.raises(LookupError, match=r'"any:./model": the folder has no modules\.json'):
        coview.folder_or_hub_id("any", "./model", "modules.json")
    with pytest.raises(LookupError, match=r'is a folder here, and a name of the hub: .* write "hf:\./model"'):
        coview.folder_or_hub_id("hf", "model", "config.json")


@pytest.mark.parametrize("name", ["bert-base-uncased", "owner/name", "owner/name.with-all_of.it"])
def test_a_hub_id_stays_as_it_is(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert coview.folder_or_hub_id("hf", name, "config.json") == name


@pytest.mark.parametrize("name", ["./model", "/model", "~/model", "a b", "a/b/c", "a/"])
def test_what_is_neither(name, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LookupError, match="no such folder, and a hub id is of the form owner/name"):
        coview.folder_or_hub_id("hf", name, "config.json")


def test_a_folder_is_loaded_quietly_and_asks_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr("coview.plugins.hub._answers", lambda url: pytest.fail("the hub was asked"))
    with coview.model_source("hf", str(tmp_path), contents=CONTENTS) as source, source.loading() as name:
        assert name == str(tmp_path)
        assert not logging.is_progress_bar_enabled()


def test_the_hub_is_asked_once_for_all_that_is_loaded(monkeypatch):
    asked = []
    monkeypatch.setattr("coview.plugins.hub._answers", lambda url: asked.append(url) or True)
    with coview.model_source("hf", "owner/name", contents=CONTENTS) as source:
        for _ in range(2):
            with source.loading() as name:
                assert name == "owner/name"
    assert asked == [constants.ENDPOINT]


def failing(name, error, family="hf", answers=True, monkeypatch=None):
    monkeypatch.setattr("coview.plugins.hub._answers", lambda url: answers)
    with (
        pytest.raises(coview.CoviewError) as caught,
        coview.model_source(family, name, contents=CONTENTS) as source,
        source.loading(),
    ):
        raise error
    assert caught.value.__cause__ is error
    return caught.value


def test_what_the_library_raises_is_explained(tmp_path, monkeypatch):
    error = failing("owner/name", OSError("not known\nand more lines"), "any", monkeypatch=monkeypatch)
    assert error.message == '"any:owner/name" cannot be loaded: not known'
    assert error.hint == 'check the name, or give the path of a local folder, use = "any:/path/to/folder"'
    error = failing(str(tmp_path), ValueError(), monkeypatch=monkeypatch)
    assert error.message == f'"hf:{tmp_path}" cannot be loaded: ValueError'
    assert error.hint == f"the folder has to hold {CONTENTS}"
    error = failing(str(tmp_path), ValueError("pass trust_remote_code=True"), monkeypatch=monkeypatch)
    assert error.hint == "it comes with its own Python code: set trust_remote_code = true if you trust its source"


def test_without_the_hub_only_what_is_missing_is_put_down_to_that(monkeypatch):
    error = failing("owner/name", OSError("gone"), answers=False, monkeypatch=monkeypatch)
    assert error.message == (
        f'"hf:owner/name" is neither a folder here nor in the cache, and {constants.ENDPOINT} cannot be reached'
    )
    assert error.hint == 'give the path of a local folder, use = "hf:/path/to/folder", or connect to the network'
    error = failing("owner/name", ValueError("of another kind"), answers=False, monkeypatch=monkeypatch)
    assert error.message == '"hf:owner/name" cannot be loaded: of another kind'


def test_a_plugins_own_refusal_and_a_bug_stay_as_they_are(tmp_path):
    with pytest.raises(ValueError, match="takes texts"), coview.model_source("hf", str(tmp_path), contents=CONTENTS):
        raise ValueError("takes texts, not pictures")
    with (
        pytest.raises(ZeroDivisionError),
        coview.model_source("hf", str(tmp_path), contents=CONTENTS) as source,
        source.loading(),
    ):
        raise ZeroDivisionError
