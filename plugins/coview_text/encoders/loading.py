"""Loading from the Hugging Face hub or a local folder, with messages for people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import coview
from coview_text.resources import minilm

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")

FETCHED = (minilm.NAME,)
"""Models that ``coview data fetch`` brings, by their name."""


def folder_or_hub_id(family: str, name: str, expected: str) -> str:
    """A local folder as it is, else a name that may be a fetched model or a hub id.

    Raises:
        LookupError: If it is neither, or the folder lacks the file that is expected.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / expected).is_file():
            raise LookupError(f'"{family}:{name}": the folder has no {expected}, so it cannot be loaded')
        return str(folder)
    if name.startswith((".", "/", "~")) or not _HUB_ID.fullmatch(name):
        raise LookupError(f'"{family}:{name}": there is no such folder, and a hub id is of the form owner/name')
    return name


@contextmanager
def found(family: str, name: str) -> Iterator[str]:
    """Gives what to load by; within it, what goes wrong is explained.

    Raises:
        CoviewError: If it is not there, or is no such model.
    """
    if name in FETCHED:
        name = str(coview.resource_folder(name))
    if Path(name).is_dir():
        with coview.no_progress_bar(), _explained(family, name, ""):
            yield name
        return
    with coview.hub_or_cache() as unreachable, _explained(family, name, unreachable):
        yield name


@contextmanager
def _explained(family: str, name: str, unreachable: str) -> Iterator[None]:
    as_folder = f'use = "{family}:/path/to/folder"'
    try:
        yield
    except (OSError, ValueError) as error:
        if unreachable and isinstance(error, OSError):  # a ValueError is about what was found
            raise coview.CoviewError(
                f'"{family}:{name}" is neither a folder here nor in the cache, and {unreachable}',
                hint=f"give the path of a local folder, {as_folder}, or connect to the network",
            ) from error
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if "trust_remote_code" in str(error):
            hint = "it comes with its own Python code: set trust_remote_code = true if you trust its source"
        elif Path(name).is_dir():
            hint = "the folder has to hold what save_pretrained writes, the tokenizer's files too"
        else:
            hint = f"check the name, or give the path of a local folder, {as_folder}"
        raise coview.CoviewError(f'"{family}:{name}" cannot be loaded: {reason}', hint=hint) from error
