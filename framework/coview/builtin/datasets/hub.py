"""``use = "core/hub:NAME"``: samples of several modalities of a Hugging Face data set, a column or several for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge

from coview.builtin.datasets.pair_columns import PairColumns, columns_of, negatives_of, refuse_unusable
from coview.builtin.datasets.paired_samples import PairedSamples, sources_of
from coview.builtin.datasets.pairs import PairRow, samples_of, split_pairs
from coview.data.hub_dataset import HubDataset
from coview.data.hub_rows import HubRows
from coview.data.modality import FileReader, Modality
from coview.data.packed_texts import PackedTexts
from coview.data.split import check_split
from coview.data.table_file import TableRow
from coview.data.value_readers import file_readers
from coview.errors import CoviewError, SampleError


class HubPairs(PairedSamples, HubDataset):
    """Pictures with captions, sounds with texts, or more together, from the Hugging Face hub or a local folder.

    Each modality has a column, or several. A row lacks the modality if there is nothing in them. A cell may hold a list
    of texts. The sample then has several texts: each epoch of training draws one, and an evaluation uses all. If the
    data set has no split to test on, coview makes a seeded one, with no group on both sides.

    Args:
        modalities: What the samples have, by name.
        columns: The column of each modality, or several of them: ``{ image = "image", text = ["short", "long"] }``.
        read: How files are read, by modality: ``{ image = { decode_size = 256 } }``.
        sample: The column that names a row's sample. Absent: each row is a sample.
        group: The column of what must not be on both sides of the split that coview makes, or several: ``["word",
            "speaker"]`` keeps both on one side. Absent: no text is on both.
        negatives: The column of hard negatives, or several of them, of one modality: ``{ text = "wrong" }``. A view
            called "negative" is made of it.
        longest_text: Characters of a text, at most. A sample with a longer one is skipped.
    """

    def __init__(
        self,
        *,
        split: str = "train",
        modalities: Mapping[str, Modality],
        columns: dict[str, str | tuple[str, ...]],
        read: dict[str, dict[str, Any]] | None = None,
        sample: str | None = None,
        group: str | tuple[str, ...] | None = None,
        negatives: dict[str, str | tuple[str, ...]] | None = None,
        longest_text: Annotated[int, Ge(1)] = 100_000,
        **rows: Any,
    ) -> None:
        found = self.find_splits(**rows)
        check_split(split, found)
        parts = {name: HubRows(self.path, split=name, **rows) for name in found}
        readers = file_readers(modalities, read or {})
        pair_columns = PairColumns(
            values={name: columns_of(columns[name]) for name in modalities},
            files=[name for name, reader in readers.items() if reader is not None],
            sample=sample,
            label=parts["train"].label,
            concepts=columns_of(group),
            negatives=negatives_of("negatives", negatives, modalities),
            longest_text=longest_text,
        )
        _check_columns(self.path, parts["train"], pair_columns)
        pair_rows = [row for name, part in parts.items() for row in _rows(part, name, pair_columns)]
        refuse_unusable(pair_rows, f'"{self.path}"')
        fraction = rows.get("test_fraction", 0.2)
        pairs = split_pairs(
            samples_of(pair_rows, ()),
            found,
            modalities=modalities,
            files=pair_columns.files,
            by_concept=group is not None,
            fraction=fraction,
            seed=rows.get("split_seed", 0),
            what=f'"{self.path}"',
            classes=parts["train"].classes,
            negatives_of=pair_columns.negatives_of,
        )
        notes = []
        if not parts["train"].has_own_test:
            notes.append(f'"{self.path}" has no split to test on: {fraction:.0%} of its samples are held out')
        sources = sources_of(modalities, readers, partial(_HubSource, self.path, parts))
        version = pairs.version(digests=[part.version for part in parts.values()])
        super().__init__(pairs, split, sources, version=version, notes=notes)
        self.citation, self.licence = parts["train"].citation, parts["train"].licence or "see the hub"


def hub_pairs(name: str) -> type[HubPairs]:
    """The factory of ``core/hub:NAME``.

    Args:
        name: A hub id, such as ``nlphuji/flickr30k``, or a folder.
    """
    return HubPairs.of(name)


def _check_columns(path: str, rows: HubRows, columns: PairColumns) -> None:
    """Raises :class:`CoviewError` if a column is not there, or holds no files where a modality reads files."""
    for name in columns.names():
        rows.check(name)
    for modality, names in columns.in_files().items():
        for name in names:
            if not rows.holds_files(name):
                raise CoviewError(
                    f'"{path}": the column "{name}" holds {rows.kind(name) or "other values"}, but {modality} is read '
                    "from files: the type of the column has to be Image or Audio"
                )


def _rows(part: HubRows, split: str, columns: PairColumns) -> Iterator[PairRow]:
    """The rows of a split; a file is named by split, row and column."""
    in_files = {name for names in columns.in_files().values() for name in names}
    of_label = [columns.label] if columns.label is not None else []
    missing = {name: part.missing(name) for name in in_files}
    known = {name: part.values(name) for name in dict.fromkeys(columns.names()) if name not in in_files}
    for at in range(len(part)):
        values = {name: None if of[at] else f"{split}/{at}/{name}" for name, of in missing.items()}
        values |= {name: of[at] for name, of in known.items()}
        for name in of_label:
            place = part.class_of(values[name])
            values[name] = None if place is None or part.classes is None else part.classes[place]
        is_own = part.has_own_test or split == "validation"
        row = columns.row(part.id(at), TableRow(at + 1, values), split if is_own else None)
        yield row if columns.sample is not None or row.fault else replace(row, sample=row.where)


@dataclass(frozen=True)
class _HubSource:
    """Values in files of the data set: a name is the split, the row and the column."""

    path: str
    parts: Mapping[str, HubRows]
    reader: FileReader

    def look_at(self, names: Sequence[str]) -> Sequence[str]:
        """What the reader says of some files."""
        files = _HubFiles(self, PackedTexts(names))
        return self.reader.look_at([(name, file) for name, file in map(files.file, range(len(names))) if file])

    def reading(self, names: Sequence[str]) -> Callable[[int], Any]:
        """What reads files."""
        return _HubFiles(self, PackedTexts(names))


@dataclass(frozen=True)
class _HubFiles:
    source: _HubSource
    names: Sequence[str]

    def file(self, place: int) -> tuple[str, BytesIO | Path | None]:
        """The name of a file in messages, and the file."""
        split, at, column = self.names[place].split("/", 2)
        part = self.source.parts[split]
        return f"{self.source.path} {part.id(int(at))}", part.file(part[int(at)], column)

    def __call__(self, place: int) -> Any:
        name, file = self.file(place)
        if file is None:
            raise SampleError(name, f'"{self.names[place].split("/", 2)[2]}" holds no file')
        return self.source.reader(file, name)
