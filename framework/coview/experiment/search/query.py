"""What somebody searches by: a text as it is typed, or the path of a file that a tower of the run can read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coview.data.modality import Modality, ReadsFiles, ReadsTyped
from coview.errors import CoviewError
from coview.plugins.home import expanded


@dataclass(frozen=True)
class Query:
    """A value to search by.

    Attributes:
        modality: Whose tower embeds it.
        value: As that modality has values.
        said: As it was given.
    """

    modality: str
    value: Any
    said: str


def read_query(given: str | Path, modalities: Mapping[str, Modality]) -> Query:
    """A query as a value of one of a run's modalities: a file by its ending, everything else as a text.

    Raises:
        CoviewError: If it is empty, a file that is not there or cannot be read, or of no modality of the run.
    """
    text = str(given)
    if not text.strip():
        raise CoviewError("the query is empty", hint="coview search RUN 'a red bird', or the path of a picture")
    readers = {name: modality for name, modality in modalities.items() if isinstance(modality, ReadsFiles)}
    by_ending = {ending: name for name, modality in readers.items() for ending in modality.suffixes}
    path = expanded(given)
    name = by_ending.get(path.suffix.lower())
    if name is None and (isinstance(given, Path) or (path.suffix and _is_file(path))):
        raise CoviewError(f"no tower of the run takes the file {text}: it has {_listed(modalities)}")
    if name is not None:
        return Query(name, readers[name].file_reader()(path), text)  # says itself that it is not there, or damaged
    typed = next(((name, each) for name, each in modalities.items() if isinstance(each, ReadsTyped)), None)
    if typed is None:
        endings = " ".join(by_ending)
        raise CoviewError(
            f'the run has no tower of texts that "{text}" could be embedded by: it has {_listed(modalities)}',
            hint=f"search by the path of a file: {endings}" if endings else None,
        )
    return Query(typed[0], typed[1].read_typed(text), text)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a text that is too long for a path
        return False


def _listed(modalities: Mapping[str, Modality]) -> str:
    return " and ".join(modalities)
