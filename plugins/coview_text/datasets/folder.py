"""Text files in folders, one subfolder a class or none."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

from annotated_types import Gt, Lt

import coview
from coview_text.datasets.rows import Row, TextRows, read_text, version_of


class TextFolder(TextRows):
    """Text files in subfolders of a folder, one for each class; or in the folder itself, without classes.

    If the folder has ``train`` and ``test`` subfolders, these are the splits (``val`` where there is no ``test``);
    otherwise a seeded split is made, with no text on both sides, stratified by class where no text is there twice.
    Hidden files are passed over. A file that cannot be read, or is empty, is skipped, named and counted. A sample's id
    is its path below the folder.

    Args:
        split: "train" or "test".
        root: The folder.
        suffix: What the names of the files end in.
        encoding: Of the files.
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
        coview.check_split(split, self.splits)
        kind = coview.FileKind(
            name="text",
            files="texts",
            suffixes=(suffix.lower(),),
            expected=f"expected are {suffix} files in one subfolder for each class (root/sport/1{suffix}, "
            f"root/weather/2{suffix}), or all directly in the folder, without classes; either may lie in train/ and "
            "test/ (or val/)",
        )
        root = kind.root(root)

        @cache
        def content(path: Path) -> tuple[str, str]:
            """The text of a file, and why it cannot be used."""
            try:
                text = read_text(path, encoding, "text_folder")
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
        self.version = version_of(rows)
