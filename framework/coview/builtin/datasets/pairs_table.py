"""Tables of pairs: a column, or several, for each modality."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Gt, Lt

from coview.builtin.datasets.pair_columns import PairColumns, columns_of, negatives_of, samples_of_table
from coview.builtin.datasets.paired_samples import FileSource, PairedSamples, sources_of
from coview.builtin.datasets.pairs import split_pairs
from coview.data.modality import Modality
from coview.data.split import check_split
from coview.data.split_column import rows_by_split, table_splits
from coview.data.table_file import read_table
from coview.data.value_readers import file_readers
from coview.plugins.home import expanded


class PairsTable(PairedSamples):
    """Pictures with captions, sounds with texts, or more together: a table with a column for each modality.

    The table is a CSV, TSV, JSONL or Parquet file. A cell is the path of a file, or the text itself, as the modality
    has its values. An empty one says that the sample lacks the modality. A sample may have several values of a
    modality, such as captions: of several columns, of a list in a cell (JSONL, Parquet), or of several rows, as rows
    that name one file are one sample. In training each epoch draws one of them; in an evaluation each is a row of the
    modality, and any of a sample is right in a retrieval.

    Missing files, cells that are not texts, rows that lack a half and texts that several samples have are counted, and
    named with file and line.

    Args:
        split: "train", "test", or "validation" where the table has it.
        modalities: What the samples have, by name.
        path: The table.
        columns: The column of each modality, or several of them: ``{ image = "path", text = ["short", "long"] }``.
        root: The folder that paths in the table are relative to. Absent: the table's own.
        read: How files are read, by modality: ``{ image = { decode_size = 256 } }``.
        sample_column: The column that names a row's sample. Absent: rows that name one file are one sample.
        label_column: The column of classes; absent: there are none. A row without one is trained on.
        group_column: The column of what must not be on both sides of the split, or several: ``["word", "speaker"]``
            keeps both on one side. Absent: no text is on both. No file ever is.
        split_column: The column of splits: "train", "test", "validation". Absent: a seeded split.
        fold: The value of ``split_column`` that is tested on; the others are trained on. Absent: its values are names
            of splits.
        negative_columns: The column of hard negatives, or several of them, of one modality: ``{ text = "wrong" }``. A
            cell is as in ``columns``, or empty. A view called "negative" is made of it.
        longest_text: Characters of a text, at most. A sample with a longer one is skipped.
        encoding: Encoding of the table. UTF-16 is recognised by its mark.
        header: Whether CSV and TSV begin with the names of the columns; if not, they are "1", "2", ….
        quotes: Whether double quotes hold a field of CSV and TSV together.
        test_fraction: Share of the samples held out, without ``split_column``.
        split_seed: Seed of that split, on purpose not the run's: the same test split for every seed of a comparison.
    """

    def __init__(
        self,
        *,
        split: str = "train",
        modalities: Mapping[str, Modality],
        path: Path,
        columns: dict[str, str | tuple[str, ...]],
        root: Path | None = None,
        read: dict[str, dict[str, Any]] | None = None,
        sample_column: str | None = None,
        label_column: str | None = None,
        group_column: str | tuple[str, ...] | None = None,
        split_column: str | None = None,
        fold: str | None = None,
        negative_columns: dict[str, str | tuple[str, ...]] | None = None,
        longest_text: Annotated[int, Ge(1)] = 100_000,
        encoding: str = "utf-8",
        header: bool = True,
        quotes: bool = True,
        test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
        split_seed: int = 0,
    ) -> None:
        how: dict[str, Any] = {"encoding": encoding, "header": header, "quotes": quotes}
        found = self.find_splits(path, split_column=split_column, fold=fold, **how)
        check_split(split, found)
        readers = file_readers(modalities, read or {})
        folder = expanded(path).parent if root is None else expanded(root)
        pair_columns = PairColumns(
            values={name: columns_of(columns[name]) for name in modalities},
            files=[name for name, reader in readers.items() if reader is not None],
            sample=sample_column,
            label=label_column,
            concepts=columns_of(group_column),
            negatives=negatives_of("negative_columns", negative_columns, modalities),
            longest_text=longest_text,
        )
        table = read_table(path, [*pair_columns.names(), *([split_column] if split_column else [])], **how)
        by_split = None if split_column is None else rows_by_split(table, split_column, fold)
        samples, notes = samples_of_table(table, pair_columns, folder, by_split)
        if len(samples) < len(table.rows):
            notes = (f"the {len(table.rows):,} rows of {table.path.name} are {len(samples):,} samples", *notes)
        pairs = split_pairs(
            samples,
            found,
            modalities=modalities,
            files=pair_columns.files,
            by_concept=group_column is not None,
            fraction=test_fraction,
            seed=split_seed,
            what=table.path.name,
            negatives_of=pair_columns.negatives_of,
        )
        files = (folder / file for name in pair_columns.files for file in pairs.names(name))
        sources = sources_of(modalities, readers, partial(FileSource, folder))
        super().__init__(pairs, split, sources, version=pairs.version(files), notes=notes)

    @classmethod
    def find_splits(cls, path: Any = "", **parameters: Any) -> tuple[str, ...]:
        """The splits that there are with these parameters."""
        return table_splits(path, parameters)
