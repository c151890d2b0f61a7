"""Tar files of pairs in WebDataset's layout, read by place and not in a stream."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Lt

from coview.builtin.datasets.pair_columns import PairColumns, columns_of, negatives_of, refuse_unusable
from coview.builtin.datasets.paired_samples import PairedSamples, sources_of
from coview.builtin.datasets.pairs import PairRow, samples_of, split_pairs
from coview.data.modality import FileReader, Modality
from coview.data.split import check_split
from coview.data.table_file import TableRow
from coview.data.tar_files import TarFiles, cut_off_notes, tar_files
from coview.data.value_readers import file_readers
from coview.errors import CoviewError, SampleError, few

_WHAT = "pairs shards"


class PairsShards(PairedSamples):
    """Pictures with captions, sounds with texts, or more together, in tar files of WebDataset's layout.

    Members with the same name are one sample: ``0007.jpg``, ``0007.txt`` and ``0007.wav``. The name ends at the first
    dot, and ``members`` says which endings a modality has. A sample lacks a modality if it has no such member. It has
    several values of a modality, such as captions, if it has several such members, or a list in a JSON file.

    The data set reads each member at its place in the tar file, and does not stream the files. So views and order are
    the same for any number of workers and ranks, and after a resume. coview makes an index of the places once, in its
    cache folder. The id of a sample is the name of the tar file with the name of the sample.

    The data set names and counts samples that lack a modality, texts that it cannot use, members that are there twice,
    and tar files that end too early. It uses the complete samples of such a file.

    Args:
        split: "train", "test", or "validation" if ``validation`` is given.
        modalities: What the samples have, by name.
        train: A folder of tar files, or a pattern such as "data/train-*.tar".
        test: Those of the test split. Absent: a seeded share of ``train``.
        validation: Those of the validation split, beside ``test``. Absent: there is none.
        members: The ending of each modality, without its dot, or several of them: ``{ image = "jpg;png", text = ["txt",
            "json:caption"] }``. ``jpg;png`` is the first of these endings that a sample has. ``json:caption`` is the
            field of a JSON object.
        read: How files are read, by modality: ``{ image = { decode_size = 256 } }``.
        label: The member with the name or the number of the class, such as "cls" or "json:class". Absent: there are no
            classes.
        group: The members with what must not be on both sides of the split: "json:speaker", or several of them. Absent:
            no text is on both.
        negatives: The members with hard negatives, of one modality: ``{ text = "json:wrong" }``. A view called
            "negative" is made of it.
        longest_text: Characters of a text, at most. A sample with a longer one is skipped.
        test_fraction: Share of the samples that is held out if there is no ``test``.
        split_seed: Seed of that split, on purpose not the run's.
    """

    named_by: ClassVar[str] = "members"

    def __init__(
        self,
        *,
        split: str = "train",
        modalities: Mapping[str, Modality],
        train: Path,
        members: dict[str, str | tuple[str, ...]],
        test: Path | None = None,
        validation: Path | None = None,
        read: dict[str, dict[str, Any]] | None = None,
        label: str | None = None,
        group: str | tuple[str, ...] | None = None,
        negatives: dict[str, str | tuple[str, ...]] | None = None,
        longest_text: Annotated[int, Ge(1)] = 100_000,
        test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
        split_seed: int = 0,
    ) -> None:
        if validation is not None and test is None:
            raise ValueError("validation is given without test: give the files of both")
        found = self.find_splits(validation=validation)
        check_split(split, found)
        readers = file_readers(modalities, read or {})
        columns = PairColumns(
            values={name: columns_of(members[name]) for name in modalities},
            files=[name for name, reader in readers.items() if reader is not None],
            sample=None,
            label=label,
            concepts=columns_of(group),
            negatives=negatives_of("negatives", negatives, modalities),
            longest_text=longest_text,
        )
        _check_no_fields(columns)
        given = {"train": train, "validation": validation, "test": test}
        of_split = {name: tar_files(pattern, _WHAT) for name, pattern in given.items() if pattern is not None}
        paths = [path for files in of_split.values() for path in files]
        times = Counter(path.resolve() for path in paths)
        if twice := [str(path) for path, number in times.items() if number > 1]:
            raise CoviewError(f"{_WHAT}: {few(twice)} {'is' if len(twice) == 1 else 'are'} of several splits")
        tars = TarFiles(paths)
        notes = cut_off_notes(tars.cut_off, len(paths))
        members_of = _Members(tars, columns)
        rows = list(members_of.rows([name for name, files in of_split.items() for _ in files] if test else None))
        for name, files in of_split.items():
            if not any(row.split in (name, None) for row in rows):
                said = f"{_WHAT} {given[name]}: there is no complete member in {len(files):,} tar files of {name}"
                raise CoviewError("; ".join((said, *notes)))
        refuse_unusable(rows, f"{_WHAT} {train}")
        tars.forget_texts()
        pairs = split_pairs(
            samples_of(rows, ()),
            found,
            modalities=modalities,
            files=columns.files,
            by_concept=group is not None,
            fraction=test_fraction,
            seed=split_seed,
            what=f"{len(paths):,} tar files",
            negatives_of=columns.negatives_of,
        )
        sources = sources_of(modalities, readers, partial(_TarSource, tars, members_of.place))
        super().__init__(pairs, split, sources, version=pairs.version(paths), notes=notes)

    @classmethod
    def find_splits(cls, validation: Any = None, **parameters: Any) -> tuple[str, ...]:
        """The splits that there are with these parameters."""
        return ("train", "test") if validation is None else ("train", "validation", "test")


def _check_no_fields(columns: PairColumns) -> None:
    """Raises ValueError if a modality that is read from files has a field of JSON."""
    for modality, names in columns.in_files().items():
        if field_of := next((name for name in names if ":" in name), None):
            raise ValueError(
                f'"{field_of}" is a field of a JSON object, and {modality} is read from files: give an ending, such as '
                '"jpg"'
            )


@dataclass(frozen=True)
class _Members:
    """The members of tar files as the cells of a table: a column is an ending, or a field of a JSON object.

    Attributes:
        tars: The files.
        columns: The columns.
        place: The number of each member that holds a value, by its name; there after :meth:`rows`.
    """

    tars: TarFiles
    columns: PairColumns
    place: dict[str, int] = field(default_factory=dict)

    def rows(self, splits: Sequence[str] | None) -> Iterator[PairRow]:
        """A row for each sample.

        Args:
            splits: The split of each tar file; None where it is drawn.
        """
        firsts = np.searchsorted(self.tars.tar_M, np.arange(len(self.tars.tars) + 1)).tolist()
        for tar, path in enumerate(self.tars.tars):
            split = None if splits is None else splits[tar]
            found: dict[str, dict[str, int]] = {}
            repeated: dict[str, str] = {}
            key = ""
            for member in range(firsts[tar], firsts[tar + 1]):
                key, ending = self.tars.parts(member)
                other = found.setdefault(key, {}).setdefault(ending, member)
                if other != member:
                    repeated[key] = _repeated(self.tars.name(other), self.tars.name(member))
            last = key if path in self.tars.cut_off else None
            for key, members in found.items():
                fault = repeated.get(key) or self._fault(members, is_last=key == last)
                if fault:
                    yield PairRow(key, sample=key, split=split, fault=fault)
                else:
                    yield self._row(key, members, split)

    def _fault(self, members: Mapping[str, int], *, is_last: bool) -> str:
        """Why the endings of a sample show that it cannot be used; empty if they do not.

        Args:
            members: Its members, by their endings.
            is_last: Whether it is the last one of a tar file that ends too early.
        """
        there = {column: _member(members, column) is not None for column in self.columns.names()}
        if not any(there[column] for columns in self.columns.values.values() for column in columns):
            asked = dict.fromkeys(_ending(column) for columns in self.columns.values.values() for column in columns)
            return f"has {few([ending[1:] or 'no ending' for ending in members])}, and none of {', '.join(asked)}"
        if is_last and not all(there.values()):
            lacking = dict.fromkeys(_ending(column) for column, is_there in there.items() if not is_there)
            return f"has no {', '.join(lacking)}, and its tar file ends there too early"
        return ""

    def _row(self, key: str, members: Mapping[str, int], split: str | None) -> PairRow:
        in_files = {name for names in self.columns.in_files().values() for name in names}
        values: dict[str, Any] = {}
        for column in dict.fromkeys(self.columns.names()):
            member = _member(members, column)
            if member is None:
                continue
            if column in in_files:
                values[column] = self.tars.name(member)
                self.place[values[column]] = member
                continue
            try:
                values[column] = _text(self.tars, member, column.partition(":")[2])
            except ValueError as error:
                return PairRow(key, sample=key, split=split, fault=str(error))
        row = self.columns.row(key, TableRow(min(members.values()) + 1, values), split)
        return replace(row, sample=key)


def _ending(column: str) -> str:
    return column.partition(":")[0]


def _member(members: Mapping[str, int], column: str) -> int | None:
    """The member that a column is of, of a sample's members by their endings."""
    return next((members[f".{one}"] for one in _ending(column).lower().split(";") if f".{one}" in members), None)


def _repeated(name: str, other: str) -> str:
    return f"{name} is there twice" if name == other else f"{name} and {other} have the same ending"


def _text(tars: TarFiles, member: int, name_of_field: str) -> Any:
    """The text of a member, or a field of the JSON object that it is.

    Raises:
        ValueError: If it is neither.
    """
    name = tars.name(member)
    try:
        text = tars.content(member).decode("utf-8-sig")
    except SampleError as error:
        raise ValueError(f"{name} {error.reason}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}") from error
    if "\0" in text:
        raise ValueError(f"{name} has zero bytes in it, which a text never has")
    if not name_of_field:
        return text.strip()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{name} is JSON, but not an object")
    return found.get(name_of_field)


@dataclass(frozen=True)
class _TarSource:
    """Values in members of tar files.

    Attributes:
        tars: The files.
        place: The number of each member, by its name.
        reader: Makes values of members.
    """

    tars: TarFiles
    place: Mapping[str, int]
    reader: FileReader

    def look_at(self, names: Sequence[str]) -> Sequence[str]:
        """What the reader says of some members."""
        files = []
        for name in names:
            with suppress(SampleError):  # reading the sample says what is wrong
                files.append((name, BytesIO(self.tars.content(self.place[name]))))
        return self.reader.look_at(files)

    def reading(self, names: Sequence[str]) -> Callable[[int], Any]:
        """What reads members."""
        return _TarValues(self.tars, np.array([self.place[name] for name in names], dtype=np.int64), self.reader)


@dataclass(frozen=True)
class _TarValues:
    tars: TarFiles
    members: np.ndarray
    reader: FileReader

    def __call__(self, place: int) -> Any:
        member = int(self.members[place])
        return self.reader(BytesIO(self.tars.content(member)), self.tars.name(member))
