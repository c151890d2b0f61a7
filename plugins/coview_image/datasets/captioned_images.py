"""Pictures with captions: what a model of pictures and texts is trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Lt

import coview
from coview_image.datasets.captioned import Captioned, CaptionedPictures

_TABLE = "captions.csv"


class CaptionedImages(CaptionedPictures):
    """Pictures of a folder and a text for each, from a table with a row for each caption.

    A picture may have several captions: each is a sample, and all of a picture are in one split. Pictures are decoded
    when asked for.

    Args:
        split: "train", "test", or "validation" where the table has it.
        root: The folder that the paths of the table are relative to.
        captions: The table: CSV, TSV, JSONL or Parquet; absent: ``captions.csv`` in the folder.
        path_column: Its column of the pictures' paths.
        caption_column: Its column of texts.
        label_column: Its column of classes; absent: there are none. A row without one is trained on.
        group_column: Its column of what must not be on both sides; absent: all captions of a picture are on one.
        split_column: Its column of splits: "train", "test", "validation". Absent: a seeded split.
        fold: The value of ``split_column`` that is tested on; the others are trained on. Absent: its values are names
            of splits.
        encoding: Encoding of the table.
        header: Whether the table begins with the names of its columns; if not, they are "1", "2", ….
        quotes: Whether double quotes in the table hold a field together.
        test_fraction: Share of the pictures held out.
        split_seed: Seed of that split, on purpose not the run's.
        decode_size: As of ``image_folder``: decode JPEG files at a reduced scale.
        bits: As of ``image_folder``: of 16-bit greys.
    """

    citation = ""
    licence = "the owner's"

    def __init__(
        self,
        *,
        split: str = "train",
        root: Path,
        captions: Path | None = None,
        path_column: str = "path",
        caption_column: str = "caption",
        label_column: str | None = None,
        group_column: str | None = None,
        split_column: str | None = None,
        fold: str | None = None,
        encoding: str = "utf-8",
        header: bool = True,
        quotes: bool = True,
        test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
        split_seed: int = 0,
        decode_size: Annotated[int, Gt(0)] | None = None,
        bits: Annotated[int, Ge(8), Le(16)] | None = None,
    ) -> None:
        root = coview.expanded(root)
        columns = [name for name in (path_column, caption_column, label_column, group_column, split_column) if name]
        file = root / _TABLE if captions is None else captions
        table = coview.read_table(file, columns, encoding=encoding, header=header, quotes=quotes)
        for name in columns:
            if name != label_column:
                table.names(name)  # in each row there has to be something
        files = coview.table_files(root, [str(row.values[path_column]) for row in table.rows], table, "pictures")
        paths = files.paths
        labels = None if label_column is None else table.class_names(label_column)
        groups = paths if group_column is None else table.names(group_column)
        super().__init__(
            root,
            [
                Captioned(
                    path=paths[at],
                    caption=str(row.values[caption_column]),
                    label=None if labels is None else labels[at],
                    group=groups[at],
                )
                for at, row in enumerate(table.rows)
            ],
            split=split,
            test_fraction=test_fraction,
            split_seed=split_seed,
            decode_size=decode_size,
            bits=bits,
            rows_of=None if split_column is None else coview.rows_by_split(table, split_column, fold),
        )
        self.notes = (*files.notes, *self.notes)
        self.unreadable = files.unreadable(self.paths)

    @classmethod
    def find_splits(cls, root: Any = "", captions: Any = None, **parameters: Any) -> tuple[str, ...]:
        """The splits that there are with these parameters."""
        return coview.table_splits(f"{root}/{_TABLE}" if captions is None else captions, parameters)
