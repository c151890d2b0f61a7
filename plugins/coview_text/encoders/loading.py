"""Loading from the Hugging Face hub, a local folder, or what ``coview data fetch`` brings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import coview
from coview_text.resources import minilm

_CONTENTS = "what save_pretrained writes, the tokenizer's files too"

FETCHED = (minilm.NAME,)
"""Models that ``coview data fetch`` brings, by their name."""


@contextmanager
def found(family: str, name: str, *, trust_remote_code: bool = False) -> Iterator[str]:
    """Gives what to load by; within it, what goes wrong is explained.

    Raises:
        CoviewError: If it is not there, is no such model, or asks for code that nobody has agreed to.
    """
    if name in FETCHED:
        name = str(coview.resource_folder(name))
    with (
        coview.model_source(family, name, contents=_CONTENTS, trust_remote_code=trust_remote_code) as source,
        source.loading() as loaded_by,
    ):
        yield loaded_by


def with_vocabulary(tokenizer: Any, name: str) -> Any:
    """The tokenizer, if it is one: where its files are missing, transformers makes one that knows no word.

    Raises:
        CoviewError: If it knows none.
    """
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        raise coview.CoviewError(
            f"{name} has no tokenizer: its vocabulary is missing",
            hint=f"a folder has to hold {_CONTENTS}: tokenizer.json, or vocab.txt, or a file of SentencePiece",
        )
    return tokenizer
