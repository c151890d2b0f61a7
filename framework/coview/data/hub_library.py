"""The Hugging Face library of data sets, as coview loads with it: without bars, and with messages for people.

All that coview knows of the library's insides is here, and ``tests/data/test_hub_library.py`` notices when they change.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

import numpy as np

from coview.errors import CoviewError
from coview.plugins.home import expanded
from coview.plugins.hub import hub_or_cache

_EXTRA = "pip install 'coview[hub]'"


@runtime_checkable
class _Decoded(Protocol):
    """The type of a column of files, such as pictures, which the library decodes unless ``decode`` is false."""

    decode: bool


def local(path: str, config: str | None, folder: str | None) -> Callable[[bool], Any]:
    """What loads the splits of a folder, streamed or whole, by their names."""
    root = expanded(path)

    def load(stream: bool) -> Any:
        datasets = library()
        with explaining(path):
            if (root / "dataset_dict.json").is_file() or (root / "state.json").is_file():
                found = datasets.load_from_disk(str(root))
                parts = found if isinstance(found, Mapping) else {"train": found}
                return {name: part.to_iterable_dataset() for name, part in parts.items()} if stream else parts
            return datasets.load_dataset(str(root), config, data_dir=folder, streaming=stream)

    return load


def on_the_hub(path: str, config: str | None, revision: str | None, folder: str | None) -> Callable[[bool], Any]:
    """What loads the splits of the hub's repository, streamed or whole, by their names."""

    def load(stream: bool) -> Any:
        datasets = library()
        with (
            hub_or_cache() as unreachable,
            _offline(datasets, bool(unreachable)),
            explaining(path, unreachable),
        ):
            return datasets.load_dataset(path, config, revision=revision, data_dir=folder, streaming=stream)

    return load


def library() -> Any:
    """The package, without its bars."""
    try:
        import datasets  # of an extra, and it costs start-up time
    except ModuleNotFoundError as error:
        raise CoviewError("data sets of the Hugging Face hub need the package 'datasets'", hint=_EXTRA) from error
    datasets.disable_progress_bars()
    return datasets


@contextmanager
def _offline(datasets: Any, offline: bool) -> Iterator[None]:
    """Within it, the library looks at its cache only; it has read the hub's setting once for all."""
    before = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = before or offline
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = before


@contextmanager
def explaining(path: str, unreachable: str = "") -> Iterator[None]:
    """Turns what the library raises for data that is not there, or not readable, into a message."""
    datasets = library()
    try:
        with _sounds_as_files(datasets):
            yield
    except (OSError, ValueError, datasets.exceptions.DatasetsError, EOFError, RuntimeError) as error:
        what = _in_its_own_words(error) if isinstance(error, datasets.exceptions.DatasetGenerationError) else str(error)
        what = what.partition("\n")[0] or type(error).__name__
        if unreachable:
            raise CoviewError(
                f'data set "{path}" is not in the cache of Hugging Face, and {unreachable}',
                hint='connect to the hub once, or give a folder: use = "…/hub:/path/to/folder"',
            ) from error
        raise CoviewError(f'data set "{path}" cannot be loaded: {what}') from error


def _in_its_own_words(error: Exception) -> str:
    """What is behind an error of making a data set: its cause, or what follows the sentence that there is an error."""
    if error.__cause__ is not None:
        return str(error.__cause__)
    first, _, rest = str(error).partition("\n")
    return rest.strip() or first


@contextmanager
def _sounds_as_files(datasets: Any) -> Iterator[None]:
    """Within it, the library takes sound files as they are: it asks for a codec, even for what it does not decode."""
    before = datasets.Audio.encode_example

    def encode(feature: Any, value: Any) -> dict[str, Any]:
        if isinstance(value, Mapping):
            return before(feature, value) if "array" in value else {key: value.get(key) for key in ("bytes", "path")}
        if isinstance(value, bytes):
            return {"bytes": value, "path": None}
        return {"bytes": None, "path": str(value)}

    datasets.Audio.encode_example = encode
    try:
        yield
    finally:
        datasets.Audio.encode_example = before


def undecoded(table: Any) -> Any:
    """The same with its pictures and sounds as files: who needs them decodes them, and says which cannot be."""
    for name, feature in (table.features or {}).items():
        if isinstance(feature, _Decoded) and feature.decode is True:
            table = table.cast_column(name, dataclasses.replace(feature, decode=False))  # type: ignore[type-var]
    return table


def missing_values(table: Any, name: str) -> np.ndarray:
    """``(N,)`` bool: whether a row of a split that is not streamed has nothing in a column. No file is read."""
    column = table.select_columns([name]).with_format("arrow")[:].column(name)
    return np.asarray(column.is_null().to_numpy(zero_copy_only=False), dtype=bool)


def fingerprint(table: Any) -> str:
    """The library's digest of the rows of a split that is not streamed: of what they hold, and how they were made."""
    return str(table._fingerprint)


def kind_of(feature: Any) -> str:
    """The type of a column as the library names it: "Image", "Audio", "ClassLabel", "string", "int64", …."""
    return str(feature.dtype) if isinstance(feature, library().Value) else type(feature).__name__


def is_class(feature: Any) -> bool:
    """Whether a column's type is a class."""
    return isinstance(feature, library().ClassLabel)


def is_file(feature: Any) -> bool:
    """Whether a column's type is one of files, which the library can decode."""
    return isinstance(feature, _Decoded)


def class_names(feature: Any) -> tuple[str, ...]:
    """The names of the classes, where a column's type has any."""
    return tuple(feature.names or ()) if is_class(feature) else ()
