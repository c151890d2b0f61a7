"""Text files in folders, one subfolder a class or none."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Gt, Lt

import coview
from coview_text.datasets.rows import Row, TextRows


class TextFolder(TextRows):
    """Text files in subfolders of a folder, one for each class; or in the folder itself, without classes.

    Subfolders ``train`` and ``test`` are the splits (or ``training``, ``testing``, in small letters or capitals). One
    called ``validation``, ``valid``, ``val`` or ``dev`` is the validation split beside them, and is tested on where
    there is no ``test``. Without them a seeded split is made, with no text on both sides, stratified by class. Hidden
    files are skipped; files of other endings are left out, counted and named. A file that cannot be read, or is
    empty, is skipped, named and counted. A sample's id is its path below the folder.

    Args:
        split: "train", "test", or "validation" where there is one.
        root: The folder.
        suffix: What the names of the files end in.
        encoding: Encoding of the files. UTF-16 is recognised by its mark.
        test_fraction: Share of the files held out, where the folder has no splits of its own.
        split_seed: Seed of that split, on purpose not the run's: the same test split for every seed of a comparison.
    """

    def __init__(
        self,
        *,
        split: str = "train",
        root: Path,
        suffix: str = ".txt",
        encoding: str = "utf-8",
        test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
        split_seed: int = 0,
    ) -> None:
        kind = _kind(suffix)
        root = kind.root(root)
        coview.check_split(split, kind.splits_of(root))

        @cache
        def content(path: Path) -> tuple[str, str]:
            """The text of a file, and why it cannot be used."""
            try:
                text = coview.read_text(path, encoding)
            except coview.CoviewError as error:
                return "", error.message
            return text, "" if text.strip() else "the text is empty"

        def group_of(path: Path) -> str:
            text, fault = content(path)
            return f"unusable: {path}" if fault else text

        listing = coview.split_listing(root, kind, split, fraction=test_fraction, seed=split_seed, group_of=group_of)
        rows = []
        for number, path in enumerate(listing.paths):
            text, fault = content(root / path)
            label = listing.classes[listing.labels[number]] if listing.classes and listing.labels is not None else None
            rows.append(Row(text, path, label, fault=fault))
        super().__init__(rows, listing.classes)
        self.version, self.notes = listing.version, listing.notes

    @classmethod
    def find_splits(cls, root: Any = "", **parameters: Any) -> tuple[str, ...]:
        """The splits that there are with these parameters."""
        return _kind("").splits_of(root)


def _kind(suffix: str) -> coview.FileKind:
    return coview.FileKind(
        name="text",
        files="texts",
        suffixes=(suffix.lower(),),
        expected=f"expected are {suffix} files in one subfolder for each class (root/sport/1{suffix}, "
        f"root/weather/2{suffix}), or all directly in the folder, without classes; subfolders train/ and test/ (or "
        "val/) are splits",
    )
