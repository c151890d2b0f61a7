"""Sound files in folders or named by a table: the layouts that most people already have."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Le, Lt

import coview
from coview_audio.datasets.resample_cache import read_at
from coview_audio.decode import SUFFIXES
from coview_audio.levels import rate_notes, settled_full_scale

_KIND = coview.FileKind(
    name="sound",
    files="sounds",
    suffixes=SUFFIXES,
    expected="expected are WAV, FLAC, Ogg, MP3 or AIFF files in one subfolder for each class (root/dog/1.wav, "
    "root/rain/2.wav), or all directly in the folder, without classes, or a table of them as labels; subfolders train/ "
    "and test/ (or val/) are splits",
)


class AudioFolder:
    """WAV, FLAC, Ogg, MP3, AIFF, AU and CAF files in subfolders of a folder, one for each class; or in the folder
    itself, without classes; or named by a table with a column of classes.

    Subfolders ``train`` and ``test`` are the splits (or ``training``, ``testing``, in small letters or capitals). One
    called ``validation``, ``valid``, ``val`` or ``dev`` is the validation split beside them, and is tested on where
    there is no ``test``. Without them a seeded split is made, with no group on both sides where the table has groups,
    stratified by class. Hidden files and folders are skipped; other files are left out, counted and named. Sounds
    are averaged over their channels and resampled once; the result is kept in ``$COVIEW_DATA/resampled`` (or in
    coview's cache folder). A sample's id is its path below the folder.

    Args:
        split: "train", "test", or "validation" where there is one.
        root: The folder.
        sample_rate: Samples a second, in Hz, that sounds are resampled to; the modality's.
        labels: A table of the sounds below the folder, in place of subfolders: CSV, TSV, JSONL or Parquet.
        path_column: Its column of paths, relative to the folder.
        label_column: Its column of classes; "" for none. A row without a class is trained on.
        group_column: Its column of what must not be on both sides: a speaker, a recording. Absent: no groups.
        split_column: Its column of splits, with the names that folders may have. Absent: a seeded split.
        fold: The value of ``split_column`` that is tested on; the others are trained on. Absent: its values are names
            of splits.
        encoding: Encoding of the table.
        header: Whether the table begins with the names of its columns; if not, they are "1", "2", ….
        quotes: Whether double quotes in the table hold a field together.
        test_fraction: Share of the sounds held out, where there are no splits.
        split_seed: Seed of that split, on purpose not the run's: the same test split for every seed of a
            comparison.
        full_scale: What samples of files of floats are divided by. Absent: 1, or the full scale of 16, 24 or 32 bits
            where files are so loud; coview then says so.
    """

    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    modalities: tuple[str, ...] = ("audio",)
    citation = ""
    licence = "the owner's"

    def __init__(
        self,
        *,
        split: str = "train",
        root: Path,
        sample_rate: Annotated[int, Ge(1000), Le(192000)] = 16000,
        labels: Path | None = None,
        path_column: str = "path",
        label_column: str = "label",
        group_column: str | None = None,
        split_column: str | None = None,
        fold: str | None = None,
        encoding: str = "utf-8",
        header: bool = True,
        quotes: bool = True,
        test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
        split_seed: int = 0,
        full_scale: Annotated[float, Gt(0)] | None = None,
    ) -> None:
        self.root, self.sample_rate = _KIND.root(root), sample_rate
        table = None
        if labels is not None:
            table = coview.TableOfFiles(
                labels, path_column, label_column, group_column, split_column, fold, encoding, header, quotes
            )
        listing = coview.file_listing(self.root, _KIND, split, table, fraction=test_fraction, seed=split_seed)
        self.unreadable = listing.unreadable
        self.classes, self.labels, self.version = listing.classes, listing.labels, listing.version
        self.groups = listing.groups
        self._listing = listing
        examples = [self.root / path for path in listing.examples]
        self._full_scale, said = settled_full_scale(examples, full_scale)
        self.notes = (*listing.notes, *said, *rate_notes(examples, sample_rate))

    @classmethod
    def find_splits(cls, root: Any = "", labels: Any = None, **parameters: Any) -> tuple[str, ...]:
        """The splits that there are with these parameters."""
        return _KIND.splits_of(root) if labels is None else coview.table_splits(labels, parameters)

    def __len__(self) -> int:
        return len(self._listing.paths)

    def __getitem__(self, index: int, /) -> coview.Sample:
        return self.read_modalities(index, self.modalities)

    def read_modalities(self, index: int, modalities: Collection[str], /) -> coview.Sample:
        """As :class:`coview.ReadsModalities`."""
        listing = self._listing
        path = listing.paths[index]
        values = {}
        if "audio" in modalities:
            values["audio"] = read_at(self.root / path, self.sample_rate, full_scale=self._full_scale)
        return coview.Sample(
            values,
            id=path,
            label=None if listing.labels is None or listing.labels[index] < 0 else int(listing.labels[index]),
            group=None if listing.groups is None else listing.groups[index],
        )
