"""Pictures with captions: what a model of pictures and texts is trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from annotated_types import Gt, Lt

import coview
from coview_image.datasets.captioned import Captioned, CaptionedPictures


class CaptionedImages(CaptionedPictures):
    """Pictures of a folder and a text for each, from a table with a row for each caption.

    A picture may have several captions: each is a sample, and all of a picture are in one split. Pictures are decoded
    when asked for.

    Args:
        split: "train" or "test".
        root: The folder that the paths of the table begin in.
        captions: The table, CSV or TSV with a header; absent: ``captions.csv`` in the folder.
        path_column: Its column of the pictures' paths.
        caption_column: Its column of texts.
        label_column: Its column of classes; absent: there are none.
        test_fraction: Share of the pictures held out.
        split_seed: Seed of that split, on purpose not the run's.
        decode_size: As of ``image_folder``: decode JPEG files at a reduced scale.
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
        test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
        split_seed: int = 0,
        decode_size: Annotated[int, Gt(0)] | None = None,
    ) -> None:
        root = root.expanduser()
        table = root / "captions.csv" if captions is None else captions.expanduser()
        read = coview.read_table(table, [name for name in (path_column, caption_column, label_column) if name])
        super().__init__(
            root,
            [
                Captioned(
                    path=row[path_column],
                    caption=row[caption_column],
                    label=row[label_column] if label_column else None,
                    group=row[path_column],
                )
                for row in read
            ],
            split=split,
            test_fraction=test_fraction,
            split_seed=split_seed,
            decode_size=decode_size,
        )
