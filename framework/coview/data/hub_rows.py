"""Rows of a Hugging Face data set, for plugins to make samples of."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt, Lt

from coview.data.evenly import evenly
from coview.data.hub_library import (
    class_names,
    explaining,
    fingerprint,
    is_class,
    is_file,
    kind_of,
    local,
    missing_values,
    on_the_hub,
    undecoded,
)
from coview.data.split import check_split, seeded_split, split_notes
from coview.errors import CoviewError
from coview.plugins.home import expanded
from coview.plugins.model_source import as_path, is_ambiguous
from coview.plugins.nearest import did_you_mean

_TEST_NAMES = ("test", "validation", "valid", "dev")


class HubRows:
    """The rows of one split, as mappings from column names to values. Pictures and sounds come undecoded.

    A data set without a split to test on is split by coview, the same way for every run: with no group on both sides,
    or stratified by class.

    Attributes:
        columns: Their names.
        label: The column that holds the class; None if there is none.
        group: The column of what must not cross the split; None if none was given.
        classes: Names of the classes; None without a label.
        notes: What to say about its splits.
        version: The number of rows and the library's fingerprint of them.
        citation, licence: What the data set says of itself.
        has_own_test: Whether the data set has a split to test on.

    Args:
        path: A hub id, a folder written by ``save_to_disk``, or a folder of parquet, CSV, JSON or media files.
        split: "train", "test", or "validation" where ``validation_split`` names it.
        config: The configuration, of data sets that have several.
        revision: Branch, tag or commit of the hub's repository; absent: its newest. Give one for results that can be
            repeated.
        folder: The folder in the repository, if it holds several data sets in folders.
        train_split: The data set's name of the training split.
        test_split: Likewise; absent: the first that there is of test, validation, valid and dev, or a share of the
            training split.
        validation_split: Likewise of the split that validates: curves are measured on it, and what is chosen is chosen
            by it. Absent: none, and a part of the training split does so.
        label: The column of the class; absent: the only one of that type, or "label". "" for none.
        group: The column of what must not be on both sides of a split that is made here, such as a speaker, a
            recording or an author. Absent: none.
        first: Stream only so many rows of each split, and leave the rest on the hub; absent: all.
        test_fraction: Share that is held out where there is no split to test on.
        split_seed: Seed of that split, on purpose not the run's.

    Raises:
        CoviewError: If the data is not there, the hub cannot be reached, or a column or split is not there.
    """

    def __init__(
        self,
        path: str,
        *,
        split: str = "train",
        config: str | None = None,
        revision: str | None = None,
        folder: str | None = None,
        train_split: str = "train",
        test_split: str | None = None,
        validation_split: str | None = None,
        label: str | None = None,
        group: str | None = None,
        first: Annotated[int, Gt(0)] | None = None,
        test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
        split_seed: int = 0,
    ) -> None:
        check_split(split, splits_of_rows(validation_split))
        self._path = path
        if is_ambiguous(path):
            raise CoviewError(f'"{path}" is a folder here, and a name of the hub', hint=as_path("…/hub", path))
        is_local = expanded(path).is_dir()
        load = local(path, config, folder) if is_local else on_the_hub(path, config, revision, folder)
        parts = load(first is not None)
        for name in (train_split, test_split, validation_split):
            if name is not None and name not in parts:
                raise CoviewError(f'"{path}" has no split "{name}"{_one_of(name, parts)}')
        if validation_split is not None and validation_split in (train_split, test_split):
            other = "train_split" if validation_split == train_split else "test_split"
            raise CoviewError(f'"{path}": "{validation_split}" is {other} and validation_split: name two splits')
        used: tuple[str | None, ...] = (train_split, validation_split)
        held_out = test_split or next((n for n in _TEST_NAMES if n in parts and n not in used), None)
        self.has_own_test = held_out is not None
        named = {"train": train_split, "validation": validation_split, "test": held_out}
        self._part = named[split] or train_split
        table = undecoded(parts[self._part])
        features = table.features or {}
        self._kinds = {name: kind_of(feature) for name, feature in features.items()}
        self._files = {name for name, feature in features.items() if is_file(feature)}
        self.citation, self.licence = str(table.info.citation or ""), str(table.info.license or "")
        digest = fingerprint(parts[self._part]) if first is None else "streamed"
        self._rows: Any = table if first is None else self._streamed(table, first)
        # a file that is streamed need not say beforehand which columns it has
        self.columns: tuple[str, ...] = tuple(table.column_names or (self._rows[0] if len(self._rows) else ()))
        self.label = self._label_column(label, features)
        self.group = None if group is None else self.check(group)
        self.classes, self._class_of = self._read_classes(features, parts[train_split], first)
        self._index = np.arange(len(self._rows))
        self.notes: tuple[str, ...] = ()
        if held_out is None and split != "validation":
            self.notes = (f'"{path}" has no split to test on: {test_fraction:.0%} of "{train_split}" are held out',)
            labels = None if self.label is None else [self.class_of(value) for value in self.column(self.label)]
            groups = self._groups()
            train, test = seeded_split(
                len(self._rows), fraction=test_fraction, seed=split_seed, labels=labels, groups=groups
            )
            self.notes += split_notes(train, test, fraction=test_fraction, groups=groups)
            self._index = train if split == "train" else test
        elif first is None and held_out is not None:
            self.notes = self._on_one_side(parts[train_split], parts[held_out])
        self.version = f"{len(self._index)} rows {digest[:12]}"

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

    def values(self, name: str) -> list[Any]:
        """The values of a column, in the order of the rows.

        Raises:
            CoviewError: If there is none of that name.
        """
        of_all = self.column(name)
        return [of_all[row] for row in self._index.tolist()]

    def holds_files(self, name: str) -> bool:
        """Whether the values of a column are files, such as pictures; also where that is not known."""
        return name in self._files or not self._kinds

    def missing(self, name: str) -> np.ndarray:
        """``(N,)`` bool: whether a row has nothing in a column. Pictures and sounds are not read for it.

        Raises:
            CoviewError: If there is none of that name.
        """
        self.check(name)
        if isinstance(self._rows, list):
            return np.array([row[name] is None for row in self._rows], dtype=bool)[self._index]
        return missing_values(self._rows, name)[self._index]

    def check(self, name: str) -> str:
        """The name of a column.

        Raises:
            CoviewError: If there is none of that name.
        """
        if name not in self.columns:
            raise CoviewError(f'"{self._path}" has no column "{name}"{_one_of(name, self.columns)}')
        return name

    def kind(self, name: str) -> str:
        """The type of a column as the library names it: "Image", "Audio", "ClassLabel", "string", "int64", …."""
        return self._kinds.get(name, "")

    def only(self, kind: str, what: str, parameter: str) -> str:
        """The only column of a type.

        Args:
            kind: The type.
            what: What messages call its values, as a plural.
            parameter: Of the data set, that names a column.

        Raises:
            CoviewError: If there is none, or several.
        """
        found = [name for name in self.columns if self.kind(name) == kind]
        if len(found) == 1:
            return found[0]
        several = f"several columns of {what}, {', '.join(found)}" if found else f"no column of {what}"
        raise CoviewError(
            f'"{self._path}" has {several} (its columns are {", ".join(self.columns)})', hint=f"say {parameter} = …"
        )

    def file(self, row: Mapping[str, Any], name: str) -> io.BytesIO | Path | None:
        """The picture or sound of a row, as the file that it is; None where there is none."""
        value = row[name]
        if not isinstance(value, Mapping):
            return None
        if value.get("bytes") is not None:
            return io.BytesIO(value["bytes"])
        path = value.get("path")
        if path and "://" in path:  # what is streamed and no table
            import fsspec  # of the library of data sets, and so of the same extra

            with explaining(self._path), fsspec.open(path, "rb") as file:
                return io.BytesIO(file.read())
        return Path(path) if path else None

    def class_of(self, value: Any) -> int | None:
        """The class of a value of the label's column; None where it is missing."""
        if _is_missing(value) or (value == -1 and self._minus_one_is_none):
            return None
        return self._class_of(value)

    def label_of(self, row: Mapping[str, Any]) -> int | None:
        """The class of a row; None where there is none."""
        return None if self.label is None else self.class_of(row[self.label])

    def files(self, name: str, most: int = 8) -> list[tuple[str, io.BytesIO | Path]]:
        """A few pictures or sounds of the split, which lie evenly in it, with the ids of their rows.

        Args:
            name: The column that holds them.
            most: How many at most.
        """
        return [
            (self.id(row), file) for row in evenly(len(self), most) if (file := self.file(self[row], name)) is not None
        ]

    def labels(self) -> np.ndarray | None:
        """The class of every row, -1 for none; None without a label."""
        if self.label is None:
            return None
        values = self.column(self.label)
        classes = [self.class_of(values[row]) for row in self._index.tolist()]
        return np.array([-1 if place is None else place for place in classes], dtype=np.int64)

    def group_of(self, row: Mapping[str, Any]) -> str | None:
        """The group of a row; None where there is none."""
        return None if self.group is None or row[self.group] is None else str(row[self.group])

    def _groups(self) -> list[str] | None:
        if self.group is None:
            return None
        # what belongs to no group is one of its own
        return [f"no group {i}" if value is None else f"= {value}" for i, value in enumerate(self.column(self.group))]

    def _labels(self) -> Sequence[Any]:
        """The values of the label's column, each one value."""
        assert self.label is not None
        values = self.column(self.label)
        several = next((value for value in values if isinstance(value, list | tuple | Mapping)), None)
        if several is not None:
            raise CoviewError(
                f'"{self._path}": the column "{self.label}" holds several values in a row, such as {several!r:.60}: a '
                "class is one value",
                hint='name a column of classes, label = "…", or label = "" for none',
            )
        return values

    def _on_one_side(self, train: Any, test: Any) -> tuple[str, ...]:
        """Which classes are in one of the data's own splits only; a test split without any label has hidden ones."""
        if self.label is None or self.classes is None:
            return ()
        labels = [
            np.array(
                [-1 if (place := self.class_of(value)) is None else place for value in undecoded(part)[self.label]]
            )
            for part in (train, test)
        ]
        if any((of_part == -1).all() for of_part in labels):
            return ()
        rows = np.split(np.arange(sum(map(len, labels))), [len(labels[0])])
        return split_notes(*rows, labels=np.concatenate(labels), classes=self.classes)

    def _streamed(self, table: Any, first: int) -> list[Any]:
        with explaining(self._path):
            return list(itertools.islice(undecoded(table), first))

    def _label_column(self, label: str | None, features: Mapping[str, Any]) -> str | None:
        if label is not None:
            return self.check(label) if label else None
        of_classes = [name for name, feature in features.items() if is_class(feature)]
        if len(of_classes) > 1:
            raise CoviewError(
                f'"{self._path}" has several columns of classes, {", ".join(of_classes)}',
                hint=f'say label = "{of_classes[0]}", or another',
            )
        return of_classes[0] if of_classes else "label" if "label" in self.columns else None

    def _read_classes(
        self, features: Mapping[str, Any], train: Any, first: int | None
    ) -> tuple[tuple[str, ...] | None, Callable[[Any], int]]:
        self._minus_one_is_none = False
        if self.label is None:
            return None, int
        # in a column of classes it is no place among their names; in one of plain values it is a value, as of -1, 0 and
        # 1, unless there is nothing else: so are the labels of a test split hidden
        self._minus_one_is_none = is_class(features.get(self.label)) or set(self._labels()) == {-1}
        if names := class_names(features.get(self.label)):
            return names, int
        name = self.label
        rows: Iterable[Any] = train[name] if first is None else (row[name] for row in self._streamed(train, first))
        values = sorted({value for value in rows if not _is_missing(value)})
        places = {value: place for place, value in enumerate(values)}

        def place(value: Any) -> int:
            if value not in places:
                raise CoviewError(
                    f'"{self._path}": the class {value!r} of column "{name}" is not in the training split'
                )
            return places[value]

        return tuple(map(str, values)), place


def splits_of_rows(validation_split: object = None) -> tuple[str, ...]:
    """The splits that rows have whose ``validation_split`` is given, or is not."""
    return ("train", "test") if validation_split is None else ("train", "validation", "test")


def _is_missing(value: Any) -> bool:
    """Whether a label is none: null, or NaN, which is unlike itself."""
    return value is None or (isinstance(value, float) and value != value)


def _one_of(name: str, names: Iterable[str]) -> str:
    known = list(names)
    return f"{did_you_mean(name, known)} (there is {', '.join(known)})"
