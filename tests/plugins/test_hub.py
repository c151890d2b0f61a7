"""Names of the hub: asked for once, and where it cannot be reached, one message within seconds."""

from __future__ import annotations

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import transformers
from huggingface_hub import constants
from transformers.utils import logging

import coview
from coview import hub_or_cache, no_progress_bar
from coview.plugins import hub
from coview_image.encoders.hf import hf_image_encoder
from coview_image.encoders.timm import timm_encoder


@pytest.fixture
def silent():
    """A server that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def closed():
    """A port at which nobody listens."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def refusing():
    """A hub that answers, if only to refuse."""

    class Refuses(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(403)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Refuses) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        # before its socket is closed: else it would take the next that has the same number
        server.shutdown()
        thread.join()


def test_a_hub_that_answers_is_asked(monkeypatch, refusing):
    monkeypatch.setattr(constants, "ENDPOINT", refusing)
    with hub_or_cache() as unreachable:
        assert unreachable == ""
        assert not constants.is_offline_mode()


@pytest.mark.parametrize("server", ["closed", "silent"])
def test_one_that_does_not_is_not_asked_again(monkeypatch, request, server):
    endpoint = request.getfixturevalue(server)
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(hub, "PATIENCE", 0.5)
    started = time.monotonic()
    with hub_or_cache() as unreachable:
        assert unreachable == f"{endpoint} cannot be reached"
        assert constants.is_offline_mode()
    assert not constants.is_offline_mode()
    assert time.monotonic() - started < 2


def test_who_wants_no_network_is_told_so(monkeypatch, closed):
    monkeypatch.setattr(constants, "ENDPOINT", closed)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with hub_or_cache() as unreachable:
        assert unreachable == "HF_HUB_OFFLINE is set"
    assert constants.is_offline_mode()


def test_without_network_a_name_fails_within_seconds_and_says_what_to_do(monkeypatch, closed, tmp_path):
    monkeypatch.setattr(constants, "ENDPOINT", closed)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    started = time.monotonic()
    with pytest.raises(coview.CoviewError) as caught:
        hf_image_encoder("facebook/dinov2-of-a-test")()
    assert caught.value.message == (
        f'"hf:facebook/dinov2-of-a-test" is neither a folder here nor in the cache, and {closed} cannot be reached'
    )
    assert "a local folder" in caught.value.hint
    assert "network" in caught.value.hint
    with pytest.raises(coview.CoviewError) as caught:
        timm_encoder("test_convnext")(pretrained=True)
    assert (
        caught.value.message
        == f"the weights of timm's test_convnext could not be downloaded: {closed} cannot be reached"
    )
    assert "a local file" in caught.value.hint
    assert time.monotonic() - started < 10


def test_a_local_folder_asks_nobody(monkeypatch, tmp_path):
    config = transformers.ViTConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    transformers.AutoModel.from_config(config).save_pretrained(tmp_path)
    monkeypatch.setattr(hub, "_answers", lambda url: pytest.fail("the hub was asked"))
    assert hf_image_encoder(str(tmp_path))().width == 8


def test_bars_are_off_within_and_as_they_were_after():
    assert logging.is_progress_bar_enabled()
    with no_progress_bar():
        assert not logging.is_progress_bar_enabled()
        with no_progress_bar():
            pass
        assert not logging.is_progress_bar_enabled()
    assert logging.is_progress_bar_enabled()
