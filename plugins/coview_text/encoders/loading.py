"""Loading from the Hugging Face hub, a local folder, or what ``coview data fetch`` brings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import coview
from coview_text.resources import minilm

_CONTENTS = "what save_pretrained writes, the tokenizer's files too"

FETCHED = (minilm.NAME,)
"""Models that ``coview data fetch`` brings, by their name."""


@contextmanager
def found(family: str, name: str) -> Iterator[str]:
    """Gives what to load by; within it, what goes wrong is explained.

    Raises:
        CoviewError: If it is not there, or is no such model.
    """
    if name in FETCHED:
        name = str(coview.resource_folder(name))
    with coview.model_source(family, name, contents=_CONTENTS) as source, source.loading() as loaded_by:
        yield loaded_by
