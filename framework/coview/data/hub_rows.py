"""Rows of a Hugging Face data set, for plugins to make samples of."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coview.data.split import seeded_split
from coview.errors import CoviewError
from coview.plugins.hub import hub_or_cache
from coview.plugins.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXTRA = "pip install 'coview[hub]'"
_TEST_NAMES = ("test", "validation", "valid", "dev")


class HubRows:
    """The rows of one split, as mappings from column names to values. Pictures and sounds come undecoded.

    A data set without a split to test on is split by coview, stratified by class, the same way for every run.

    Attributes:
        columns: Their names.
        label: The column that holds the class; None if there is none.
        classes: Names of the classes; None without a label.
        version: The number of rows and the library's fingerprint of them.
        citation, licence: What the data set says of itself.

    Args:
        path: A hub id, a folder written by ``save_to_disk``, or a folder of parquet, CSV, JSON or media files.
        split: "train" or "test".
        config: Of data sets that have several.
        revision: Branch, tag or commit of the hub's repository; absent: its newest.
        train_split: The data set's name of the training split.
        test_split: Likewise; absent: the first that there is of test, validation, valid and dev, or a share of the
            training split.
        label: The column that holds the class; absent: the only one whose type is a class label, or "label". "" for
            none.
        first: Read only so many rows of the split, which are streamed: the rest is not downloaded. Absent: all.
        test_fraction: Share of the training split that is held out where there is no other.
        split_seed: Of that split.

    Raises:
        CoviewError: If the data is not there, the hub cannot be reached, or a column or split is not there.
    """

    def __init__(
        self,
        path: str,
        *,
        split: str,
        config: str | None = None,
        revision: str | None = None,
        train_split: str = "train",
        test_split: str | None = None,
        label: str | None = None,
        first: int | None = None,
        test_fraction: float = 0.2,
        split_seed: int = 0,
    ) -> None:
        self._path = path
        load = _local(path, config) if Path(path).expanduser().is_dir() else _hub(path, config, revision)
        parts = load(first is not None)
        if train_split not in parts:
            raise CoviewError(f'"{path}" has no split "{train_split}"{_one_of(train_split, parts)}')
        if test_split is not None and test_split not in parts:
            raise CoviewError(f'"{path}" has no split "{test_split}"{_one_of(test_split, parts)}')
        held_out = test_split or next((n for n in _TEST_NAMES if n in parts and n != train_split), None)
        self._part = held_out if split == "test" and held_out else train_split
        table = _undecoded(parts[self._part])
        self.columns: tuple[str, ...] = tuple(table.column_names or ())
        features = table.features or {}
        self._kinds = {name: type(feature).__name__ for name, feature in features.items()}
        self.citation, self.licence = str(table.info.citation or ""), str(table.info.license or "")
        fingerprint = parts[self._part]._fingerprint if first is None else "streamed"
        self._rows: Any = table if first is None else self._streamed(table, first)
        self.label = self._label_column(label, features)
        self.classes, self._class_of = self._read_classes(features, parts[train_split], first)
        self._index = np.arange(len(self._rows))
        if held_out is None:
            labels = None if self.label is None else [self.class_of(value) for value in self.column(self.label)]
            train, test = seeded_split(len(self._rows), fraction=test_fraction, seed=split_seed, labels=labels)
            self._index = train if split == "train" else test
        self.version = f"{len(self._index)} rows {str(fingerprint)[:12]}"

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, index: int) -> Mapping[str, Any]:
        row: Mapping[str, Any] = self._rows[int(self._index[index])]
        return row

    def id(self, index: int) -> str:
        """Names a row, the same in every process and run, and another in every split."""
        return f"{self._part}/{self._index[index]}"

    def column(self, name: str) -> Sequence[Any]:
        """All values of a column of the whole split.

        Raises:
            CoviewError: If there is none of that name.
        """
        self.check(name)
        if isinstance(self._rows, list):
            return [row[name] for row in self._rows]
        return list(self._rows[name])

    def check(self, name: str) -> str:
        """The name of a column.

        Raises:
            CoviewError: If there is none of that name.
        """
        if name not in self.columns:
            raise CoviewError(f'"{self._path}" has no column "{name}"{_one_of(name, self.columns)}')
        return name

    def kind(self, name: str) -> str:
        """The type of a column as the library names it: "Image", "Audio", "ClassLabel", "Value", …."""
        return self._kinds.get(name, "")

    def class_of(self, value: Any) -> int | None:
        """The class of a value of the label's column; None where it is missing."""
        if value is None or value == -1:  # how the hub's data sets hide the labels of a test split
            return None
        return self._class_of(value)

    def label_of(self, row: Mapping[str, Any]) -> int | None:
        """The class of a row; None where there is none."""
        return None if self.label is None else self.class_of(row[self.label])

    def _streamed(self, table: Any, first: int) -> list[Any]:
        with _explaining(_library(), self._path):
            return list(itertools.islice(_undecoded(table), first))

    def _label_column(self, label: str | None, features: Mapping[str, Any]) -> str | None:
        if label is not None:
            return self.check(label) if label else None
        of_classes = [name for name, feature in features.items() if hasattr(feature, "int2str")]
        if len(of_classes) > 1:
            raise CoviewError(
                f'"{self._path}" has several columns of classes, {", ".join(of_classes)}',
                hint=f'say label = "{of_classes[0]}", or another',
            )
        return of_classes[0] if of_classes else "label" if "label" in self.columns else None

    def _read_classes(
        self, features: Mapping[str, Any], train: Any, first: int | None
    ) -> tuple[tuple[str, ...] | None, Callable[[Any], int]]:
        if self.label is None:
            return None, int
        names = getattr(features.get(self.label), "names", None)
        if names:
            return tuple(names), int
        name = self.label
        rows: Iterable[Any] = train[name] if first is None else (row[name] for row in self._streamed(train, first))
        values = sorted({value for value in rows if value is not None and value != -1})
        places = {value: place for place, value in enumerate(values)}

        def place(value: Any) -> int:
            if value not in places:
                raise CoviewError(
                    f'"{self._path}": the class {value!r} of column "{name}" is not in the training split'
                )
            return places[value]

        return tuple(map(str, values)), place


def _local(path: str, config: str | None) -> Callable[[bool], Any]:
    folder = Path(path).expanduser()

    def load(stream: bool) -> Any:
        datasets = _library()
        with _explaining(datasets, path):
            if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
                found = datasets.load_from_disk(str(folder))
                parts = found if isinstance(found, Mapping) else {"train": found}
                return {name: part.to_iterable_dataset() for name, part in parts.items()} if stream else parts
            return datasets.load_dataset(str(folder), config, streaming=stream)

    return load


def _hub(path: str, config: str | None, revision: str | None) -> Callable[[bool], Any]:
    def load(stream: bool) -> Any:
        datasets = _library()
        with (
            hub_or_cache() as unreachable,
            _offline(datasets, bool(unreachable)),
            _explaining(datasets, path, unreachable),
        ):
            return datasets.load_dataset(path, config, revision=revision, streaming=stream)

    return load


def _library() -> Any:
    try:
        import datasets
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
def _explaining(datasets: Any, path: str, unreachable: str = "") -> Iterator[None]:
    """Turns what the library raises for data that is not there, or not readable, into a message."""
    try:
        yield
    except (OSError, ValueError, datasets.exceptions.DatasetsError, EOFError, RuntimeError) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        if unreachable:
            raise CoviewError(
                f'data set "{path}" is not in the cache of Hugging Face, and {unreachable}',
                hint='connect to the hub once, or give a folder: use = "…/hub:/path/to/folder"',
            ) from error
        raise CoviewError(f'data set "{path}" cannot be loaded: {what}') from error


def _undecoded(table: Any) -> Any:
    """The same with its pictures and sounds as files: who needs them decodes them, and says which cannot be."""
    for name, feature in (table.features or {}).items():
        if getattr(feature, "decode", None) is True:
            table = table.cast_column(name, dataclasses.replace(feature, decode=False))
    return table


def _one_of(name: str, names: Iterable[str]) -> str:
    known = list(names)
    return f"{did_you_mean(name, known)} (there is {', '.join(known)})"
