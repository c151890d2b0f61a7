"""Sound files in folders or named by a table: the layouts that most people already have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le, Lt

import coview
from coview_audio.datasets.resample_cache import read_at
from coview_audio.decode import SUFFIXES

_KIND = coview.FileKind(
    name="sound",
    files="sounds",
    suffixes=SUFFIXES,
    expected="expected are WAV, FLAC, Ogg or MP3 files in one subfolder for each class (root/dog/1.wav, "
    "root/rain/2.wav), or all directly in the folder, without classes, or a table of them as labels; either may lie in "
    "train/ and test/ (or val/)",
)


class AudioFolder:
    """WAV, FLAC, Ogg, MP3 and AIFF files in subfolders of a folder, one for each class; or in the folder itself,
    without classes; or named by a table with a column of classes.

    If the folder has ``train`` and ``test`` subfolders, these are the splits (``val`` where there is no
    ``test``); otherwise a seeded split is made, with no group on both sides where the table has groups,
    stratified by class where it has none. Sounds are averaged over their channels and resampled once; the result
    is kept in ``$COVIEW_DATA/resampled`` (or in coview's cache folder). A sample's id is its path below the
    folder.

    Args:
        split: "train" or "test".
        root: The folder.
        sample_rate: Samples a second, in Hz, that sounds are resampled to; the modality's.
        labels: A table, CSV or TSV with a header, of the sounds below the folder, in place of subfolders.
        path_column: Its column of paths, relative to the folder.
        label_column: Its column of classes.
        group_column: Its column of what must not be on both sides: a speaker, a recording. Absent: no groups.
        test_fraction: Share of the sounds held out, where the folder has no splits of its own.
        split_seed: Seed of that split, on purpose not the run's: the same test split for every seed of a
            comparison.
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
        test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
        split_seed: int = 0,
    ) -> None:
        coview.check_split(split, self.splits)
        self.root, self.sample_rate = _KIND.root(root), sample_rate
        if labels is None:
            listing = coview.split_listing(self.root, _KIND, split, fraction=test_fraction, seed=split_seed)
        else:
            listing = _list_table(
                labels.expanduser(), path_column=path_column, label_column=label_column, group_column=group_column
            ).split(split, fraction=test_fraction, seed=split_seed)
        self.classes, self.labels, self.version = listing.classes, listing.labels, listing.version
        self.groups = listing.groups
        self._listing = listing

    def __len__(self) -> int:
        return len(self._listing.paths)

    def __getitem__(self, index: int, /) -> coview.Sample:
        listing = self._listing
        path = listing.paths[index]
        return coview.Sample(
            {"audio": read_at(self.root / path, self.sample_rate)},
            id=path,
            label=None if listing.labels is None else int(listing.labels[index]),
            group=None if listing.groups is None else listing.groups[index],
        )


def _list_table(table: Path, *, path_column: str, label_column: str, group_column: str | None) -> coview.FileListing:
    """The files that a CSV or TSV table names, whether they are there or not: that shows when they are read.

    Raises:
        CoviewError: If the table cannot be read, lacks a column, or has no rows.
    """
    rows = coview.read_table(table, [name for name in (path_column, label_column, group_column) if name])
    rows.sort(key=lambda row: row[path_column])
    names = [row[label_column] for row in rows]
    classes = tuple(sorted(set(names)))
    place = {name: index for index, name in enumerate(classes)}
    groups = None if group_column is None else [row[group_column] for row in rows]
    return coview.FileListing(
        [row[path_column] for row in rows], classes, np.array([place[name] for name in names]), groups
    )
