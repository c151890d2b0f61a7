"""The Hugging Face libraries as coview uses them: a hub that cannot be reached is noticed at once, and no bars."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 5.0
"""Seconds in which the hub has to answer."""


@contextmanager
def hub_or_cache() -> Iterator[str]:
    """Within it, only the cache is looked at if the hub cannot be reached; gives the reason, or nothing.

    The libraries themselves try six times for each file, which takes half a minute and more.
    """
    from huggingface_hub import constants  # not needed to find plugins

    before = constants.HF_HUB_OFFLINE
    reason = "HF_HUB_OFFLINE is set" if before else ""
    if not before and not _answers(constants.ENDPOINT):
        reason = f"{constants.ENDPOINT} cannot be reached"
    constants.HF_HUB_OFFLINE = bool(reason)
    try:
        yield reason
    finally:
        constants.HF_HUB_OFFLINE = before


def _answers(url: str) -> bool:
    """Whether anything answers, whatever it says. By the libraries' own client, which knows of proxies."""
    from huggingface_hub import get_session  # not needed to find plugins

    answered = threading.Event()

    def ask() -> None:
        try:
            get_session().head(url, timeout=PATIENCE)
        except Exception:  # which client it is, and so what it raises, differs between versions
            return
        answered.set()

    # in a thread of its own, as the client's timeout does not bound the look-up of the name
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return answered.is_set()


@contextmanager
def no_progress_bar() -> Iterator[None]:
    """Within it, transformers shows no bars: on a local disk they say nothing."""
    from transformers.utils import logging  # transformers costs start-up time

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
