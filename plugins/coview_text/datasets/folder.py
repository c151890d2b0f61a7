"""Text files in folders, one subfolder a class or none."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from annotated_types import Gt, Lt

import coview
from coview_text.datasets.read import read_text
from coview_text.datasets.rows import Row, TextRows, class_names, own_split, version_of

_EXPECTED = (
    "expected are .txt files in one subfolder for each class (root/sport/1.txt, root/weather/2.txt), or all directly "
    "in the folder, without classes; either may lie in train/ and test/"
)


class TextFolder(TextRows):
    """Text files in subfolders of a folder, one for each class; or in the folder itself, without classes.

    If the folder has ``train`` and ``test`` subfolders, these are the splits; otherwise a seeded split is made,
    stratified by class. Hidden files are passed over. A file that cannot be read, or is empty, is skipped, named and
    counted. A sample's id is its path below the folder.

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
        root = root.expanduser()
        if not root.is_dir():
            fault = "it is a file, not a folder" if root.exists() else "there is no such folder"
            raise coview.CoviewError(f"text folder {root}: {fault}", hint=_EXPECTED)
        if (root / "train").is_dir() and (root / "test").is_dir():
            classes = class_names(_rows(root, root / "train", suffix, encoding))
            rows = _rows(root, root / split, suffix, encoding)
            unknown = sorted(set(class_names(rows) or ()) - set(classes or ()))
            if unknown or (class_names(rows) is None) != (classes is None):
                raise coview.CoviewError(f"text folder {root}: test/ has other classes than train/", hint=_EXPECTED)
        else:
            rows = _rows(root, root, suffix, encoding)
            classes = class_names(rows)
            rows = own_split(rows, split, fraction=test_fraction, seed=split_seed, what=f"text folder {root}")
        super().__init__(rows, classes)
        self.version = version_of(rows)


def _rows(root: Path, folder: Path, suffix: str, encoding: str) -> list[Row]:
    paths = [
        path
        for path in sorted(folder.rglob(f"*{suffix}"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    loose = [path for path in paths if path.parent == folder]
    if not paths:
        raise coview.CoviewError(f"text folder {folder} has no files that end in {suffix}", hint=_EXPECTED)
    if loose and len(loose) < len(paths):
        raise coview.CoviewError(
            f"text folder {folder} has texts of its own ({loose[0].name}) beside subfolders: it is not clear whether "
            "the subfolders are classes",
            hint=_EXPECTED,
        )
    return [_row(path, root, None if loose else path.relative_to(folder).parts[0], encoding) for path in paths]


def _row(path: Path, root: Path, label: str | None, encoding: str) -> Row:
    identity = path.relative_to(root).as_posix()
    try:
        text = read_text(path, encoding, "text_folder")
    except coview.CoviewError as error:
        return Row("", identity, label, fault=error.message)
    return Row(text, identity, label, fault="" if text.strip() else "the text is empty")
